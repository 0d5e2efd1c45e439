#include "run/layer_inputs.hpp"

#include <algorithm>
#include <cmath>

namespace attnrt::runtime {
namespace {

constexpr int32_t kWithoutPrompt = 16;  // tokens to look at

float largest_of(const float* rows, int64_t count) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (std::isfinite(rows[i])) largest = std::max(largest, std::fabs(rows[i]));
  }
  return largest;
}

// The largest of a layer's K and V among the prompts.
std::pair<float, float> largest_of_prompts(const TensorSource& source, int32_t layer,
                                           const LayerGeometry& g) {
  float k = 0;
  float v = 0;
  for (size_t s = 0; s < source.sequences().size(); ++s) {
    const SequenceSpec& spec = source.sequences()[s];
    const int32_t tokens = spec.prompt > 0 ? spec.prompt : std::min(spec.decode, kWithoutPrompt);
    const auto sequence = static_cast<int32_t>(s);
    const int64_t rows = int64_t{tokens} * g.kv_heads;
    k = std::max(k, largest_of(source.k(layer, sequence, 0), rows * g.head_dim.qk));
    v = std::max(v, largest_of(source.v(layer, sequence, 0), rows * g.head_dim.v));
  }
  return {k, v};
}

std::vector<float> per_head(int32_t heads, float (*value)(int32_t head, int32_t heads)) {
  std::vector<float> values;
  for (int32_t h = 0; h < heads; ++h) values.push_back(value(h, heads));
  return values;
}

}  // namespace

float largest_stored(Format format) {
  switch (format) {
    case Format::kFp8E4m3:
      return 448.0f;
    case Format::kFp8E4m3fnuz:
      return 240.0f;
    case Format::kFp8E5m2:
      return 57344.0f;
    case Format::kNvfp4Linear:
    case Format::kNvfp4Swizzled:
    case Format::kNvfp4FourOverSix:
      return 6.0f * 448.0f;  // e2m1 times the scale of a group
    default:
      return 0.0f;
  }
}

const float* LayerInputs::keep(std::vector<float> values) {
  arrays_.push_back(std::move(values));  // a moved vector keeps its memory
  return arrays_.back().data();
}

Status LayerInputs::set(Session& session, const TensorSource& source,
                        const std::vector<int32_t>& layers) {
  for (const int32_t layer : layers) {
    const LayerPlan& plan = session.plan().layers[static_cast<size_t>(layer)];
    const LayerGeometry& g = plan.geometry;
    LayerParameters parameters;
    const float stored = largest_stored(plan.kv);
    if (stored > 0) {
      const auto [k, v] = largest_of_prompts(source, layer, g);
      const float k_scale = k > 0 ? k / stored : 1.0f;
      const float v_scale = v > 0 ? v / stored : 1.0f;
      parameters.k_scale = {keep({k_scale}), 1, k_scale};
      parameters.v_scale = {keep({v_scale}), 1, v_scale};
    }
    if (g.sinks) {
      parameters.sinks = keep(per_head(
          g.q_heads, [](int32_t h, int32_t) { return 0.25f * static_cast<float>(h % 8) - 1.0f; }));
    }
    if (g.alibi) {
      parameters.alibi_slopes = keep(per_head(g.q_heads, [](int32_t h, int32_t heads) {
        return std::exp2(-8.0f * static_cast<float>(h + 1) / static_cast<float>(heads));
      }));
    }
    if (Status s = session.set_layer(layer, parameters); !s) return s;
  }
  return Done{};
}

}  // namespace attnrt::runtime
