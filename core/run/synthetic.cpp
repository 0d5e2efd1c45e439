// A seeded workload: one bank of normally distributed values, read from a place that layer,
// sequence and tensor choose. Not the standard library's distributions: they differ among
// libraries.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "run/tensor_source.hpp"

namespace attnrt::runtime {
namespace {

constexpr uint64_t kOffsets = 4096;  // places where a tensor may begin, a row of 16 values apart
constexpr uint64_t kOffsetStep = 16;

uint64_t mix(uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// In (0, 1].
double uniform(uint64_t seed, uint64_t index) {
  return static_cast<double>((mix(seed + index * 0x9e3779b97f4a7c15u) >> 11) + 1) * 0x1p-53;
}

class Synthetic final : public TensorSource {
 public:
  Synthetic(const SyntheticWorkload& workload, const ModelGeometry& model)
      : model_(model), seed_(mix(workload.seed)) {
    for (size_t i = 0; i < workload.prompt_tokens.size(); ++i) {
      const int32_t arrival = i < workload.arrival_step.size() ? workload.arrival_step[i] : 0;
      sequences_.push_back({workload.prompt_tokens[i], workload.decode_steps, arrival});
      recorded_tokens_ += sequences_.back().length();
    }
    fill_bank();
  }
  const float* q(int32_t layer, int32_t sequence, int32_t position) const override {
    const LayerGeometry& g = geometry(layer);
    return at(layer, sequence, 0, int64_t{position} * g.q_heads * g.head_dim.qk);
  }
  const float* k(int32_t layer, int32_t sequence, int32_t position) const override {
    const LayerGeometry& g = geometry(layer);
    return at(layer, sequence, 1, int64_t{position} * g.kv_heads * g.head_dim.qk);
  }
  const float* v(int32_t layer, int32_t sequence, int32_t position) const override {
    const LayerGeometry& g = geometry(layer);
    return at(layer, sequence, 2, int64_t{position} * g.kv_heads * g.head_dim.v);
  }
  const float* wanted(int32_t, int32_t, int32_t) const override { return nullptr; }
  bool synthetic() const override { return true; }

 private:
  const LayerGeometry& geometry(int32_t layer) const {
    return model_.layers[static_cast<size_t>(layer)];
  }

  const float* at(int32_t layer, int32_t sequence, uint64_t tensor, int64_t row_offset) const {
    const auto where =
        (static_cast<uint64_t>(layer) << 32) ^ (static_cast<uint64_t>(sequence) << 2) ^ tensor;
    const uint64_t offset = mix(seed_ ^ mix(where)) % kOffsets * kOffsetStep;
    return bank_.data() + offset + row_offset;
  }

  void fill_bank() {
    int64_t row = 1;
    for (const LayerGeometry& g : model_.layers) {
      row = std::max<int64_t>(row, int64_t{g.q_heads} * std::max(g.head_dim.qk, g.head_dim.v));
    }
    int64_t longest = 1;
    for (const SequenceSpec& s : sequences_) longest = std::max<int64_t>(longest, s.length());
    bank_.resize(static_cast<size_t>(longest * row) + kOffsets * kOffsetStep);
    for (size_t i = 0; i < bank_.size(); ++i) {  // Box and Muller's
      const double radius = std::sqrt(-2 * std::log(uniform(seed_, 2 * i)));
      const double angle = 2 * std::numbers::pi * uniform(seed_, 2 * i + 1);
      bank_[i] = static_cast<float>(radius * std::cos(angle));
    }
  }

  ModelGeometry model_;
  uint64_t seed_;
  std::vector<float> bank_;
};

}  // namespace

std::unique_ptr<TensorSource> make_synthetic(const SyntheticWorkload& workload,
                                             const ModelGeometry& model) {
  return std::make_unique<Synthetic>(workload, model);
}

}  // namespace attnrt::runtime
