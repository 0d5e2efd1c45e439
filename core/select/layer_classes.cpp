#include "select/layer_classes.hpp"

#include <algorithm>

#include "select/words.hpp"

namespace attnrt {
namespace {

Error invalid(std::string where, std::string expected, std::string found, std::string remedy) {
  return Error{.code = ErrorCode::kInvalid,
               .where = std::move(where),
               .expected = std::move(expected),
               .found = std::move(found),
               .remedy = std::move(remedy)};
}

bool matches(const LayerSelector& selector, int32_t index, const LayerGeometry& layer) {
  switch (selector.kind) {
    case LayerSelector::Kind::kRange:
      return index >= selector.first && index <= selector.last;
    case LayerSelector::Kind::kSlidingWindow:
      return layer.window > 0;
    case LayerSelector::Kind::kFull:
      return layer.window == 0;
  }
  return false;
}

Status check_selector(const LayerSelector& selector, const ModelGeometry& model) {
  const auto count = static_cast<int32_t>(model.layers.size());
  if (selector.kind == LayerSelector::Kind::kRange) {
    if (selector.first >= 0 && selector.first <= selector.last && selector.last < count) {
      return Done{};
    }
    const std::string range =
        selector.first == selector.last
            ? std::to_string(selector.first)
            : std::to_string(selector.first) + "-" + std::to_string(selector.last);
    return invalid("skip_layers", "layers from 0 to " + std::to_string(count - 1), range,
                   "the model has " + std::to_string(count) + " layers, counted from 0");
  }
  for (int32_t i = 0; i < count; ++i) {
    if (matches(selector, i, model.layers[static_cast<size_t>(i)])) return Done{};
  }
  const bool window = selector.kind == LayerSelector::Kind::kSlidingWindow;
  return invalid("skip_layers", "a kind of layer that the model has",
                 window ? "'sliding_window', but no layer has a window"
                        : "'full', but every layer has a window",
                 "remove it from skip_layers");
}

Status check_layer(const LayerGeometry& layer, int32_t index) {
  Request request;
  request.q_heads = layer.q_heads;
  request.kv_heads = layer.kv_heads;
  request.head_dim = layer.head_dim;
  request.cache = layer.cache;
  Status status = check(request);
  const std::string where = "layer " + std::to_string(index);
  if (!status) {
    Error error = std::move(status).error();
    error.where = where;
    return error;
  }
  if (layer.window < 0) {
    return invalid(where, "a window of at least 0 keys (0: full attention)",
                   std::to_string(layer.window), "correct the model's geometry");
  }
  if (!(layer.softcap >= 0)) {
    return invalid(where, "a soft cap of at least 0 (0: none)", std::to_string(layer.softcap),
                   "correct the model's geometry");
  }
  if (!kMasks.contains(layer.mask)) {
    return invalid(where, "a mask (causal, non_causal, cross, tree_mask, prefix_lm)",
                   std::string(name(layer.mask)), "correct the model's geometry");
  }
  return Done{};
}

Result<std::vector<Format>> resolve_for(const Spelling& spelling, const LayerGeometry& layer,
                                        int32_t index, const ModelGeometry& model,
                                        const Device& device) {
  Result<std::vector<Format>> formats = resolve(spelling, {.model_dtype = model.dtype,
                                                           .cache = layer.cache,
                                                           .head_dim = layer.head_dim,
                                                           .gfx = device.gfx,
                                                           .ds_mla = model.ds_mla});
  if (formats.ok()) return formats;
  Error error = std::move(formats).error();
  error.where = "layer " + std::to_string(index);
  return error;
}

}  // namespace

Result<std::vector<LayerClass>> layer_classes(const ModelGeometry& model, const Device& device,
                                              const KvCacheOptions& options) {
  if (model.layers.empty()) {
    return invalid("model " + model.name, "at least one layer", "none",
                   "correct the model's geometry");
  }
  for (const LayerSelector& selector : options.skip_layers) {
    if (Status s = check_selector(selector, model); !s) return std::move(s).error();
  }
  std::vector<LayerClass> classes;
  for (int32_t i = 0; i < static_cast<int32_t>(model.layers.size()); ++i) {
    const LayerGeometry& layer = model.layers[static_cast<size_t>(i)];
    const bool skipped = std::any_of(options.skip_layers.begin(), options.skip_layers.end(),
                                     [&](const LayerSelector& s) { return matches(s, i, layer); });
    const auto known = std::find_if(classes.begin(), classes.end(), [&](const LayerClass& c) {
      return c.geometry == layer && c.skipped == skipped;
    });
    if (known != classes.end()) {
      known->layers.push_back(i);
      continue;
    }
    if (Status s = check_layer(layer, i); !s) return std::move(s).error();
    const Spelling& spelling = skipped ? options.skip_format : options.format;
    Result<std::vector<Format>> formats = resolve_for(spelling, layer, i, model, device);
    if (!formats) return std::move(formats).error();
    classes.push_back({layer, skipped, spelling, *std::move(formats), {i}});
  }
  return classes;
}

Request op_request(const LayerClass& layer_class, Op op, const ModelGeometry& model,
                   const Device& device, const PlanOptions& options) {
  const LayerGeometry& g = layer_class.geometry;
  Request r;
  r.device = device;
  r.op = op;
  r.query_tokens = op == Op::kDecode ? options.decode_query_tokens : 1;
  r.q = options.q.value_or(model.dtype);
  r.out = options.out;
  r.kv = layer_class.formats.front();
  r.cache = g.cache;
  r.head_dim = g.head_dim;
  r.q_heads = g.q_heads;
  r.kv_heads = g.kv_heads;
  r.block_size = options.kv_cache.block_size.value_or(16);
  r.layout = options.kv_cache.layout.value_or(Layout::kNhd);
  r.tensors = options.tensors;
  r.pages = options.pages;
  r.alignment = options.alignment;
  r.features = options.features;
  r.features.insert(g.mask);
  if (g.window > 0) r.features.insert(Feature::kWindow);
  if (g.softcap > 0) r.features.insert(Feature::kSoftcap);
  if (g.sinks) r.features.insert(Feature::kSinks);
  if (g.alibi) r.features.insert(Feature::kAlibi);
  return normalised(r);
}

}  // namespace attnrt
