#include "config/geometry_yaml.hpp"

namespace attnrt::config {
namespace {

constexpr int32_t kMaxHeads = 65536;
constexpr int32_t kMaxHeadDim = 65536;
constexpr int32_t kMaxWindow = 1 << 30;

void read_mask(Reader& reader, LayerGeometry& layer) {
  const Tree* value = reader.get("mask");
  if (value == nullptr) return;
  const auto text = as_text(*value, reader.scope(), "a mask");
  if (!text) return;
  const Result<Feature> mask = parse_feature(*text);
  const Features masks{Feature::kCausal, Feature::kNonCausal, Feature::kCross, Feature::kTreeMask,
                       Feature::kPrefixLm};
  if (!mask.ok() || !masks.contains(*mask)) {
    reader.scope().fail(value->at, "causal, non_causal, cross, tree_mask or prefix_lm",
                        describe(*value));
    return;
  }
  layer.mask = *mask;
}

// The fields of one layer, laid over `base`.
LayerGeometry read_layer(Reader& reader, const LayerGeometry& base) {
  LayerGeometry layer = base;
  if (auto n = reader.integer("q_heads", 1, kMaxHeads)) layer.q_heads = *n;
  if (auto n = reader.integer("kv_heads", 1, kMaxHeads)) layer.kv_heads = *n;
  if (auto dim = read_head_dim(reader)) layer.head_dim = *dim;
  if (const Tree* value = reader.get("cache")) {
    if (auto text = as_text(*value, reader.scope(), "separate or latent")) {
      Result<CacheKind> kind = parse_cache_kind(*text);
      if (kind.ok()) layer.cache = *kind;
      if (!kind.ok()) reader.scope().fail(value->at, std::move(kind).error());
    }
  }
  if (auto x = reader.number("softmax_scale", 1e-6, 1e6)) layer.softmax_scale = float(*x);
  if (auto n = reader.integer("window", 0, kMaxWindow)) layer.window = *n;
  if (auto x = reader.number("softcap", 0, 1e6)) layer.softcap = float(*x);
  if (auto b = reader.flag("sinks")) layer.sinks = *b;
  if (auto b = reader.flag("alibi")) layer.alibi = *b;
  read_mask(reader, layer);
  return layer;
}

class LayerList {
 public:
  LayerList(const LayerGeometry& base, Scope& scope) : base_(base), scope_(scope) {}

  // Entries are layers ({count: N, …}) or patterns ({repeat: N, of: [entries]}).
  void add(const Tree& list, int32_t times, std::vector<LayerGeometry>& out) {
    if (list.kind != Tree::Kind::kSequence || list.items.empty()) {
      scope_.fail(list.at, "a list of layers", describe(list));
      return;
    }
    std::vector<LayerGeometry> once;
    for (const Tree& item : list.items) add_entry(item, once);
    if (once.size() * size_t(times) + out.size() > size_t(kMaxLayers)) {
      scope_.fail(list.at, "at most " + std::to_string(kMaxLayers) + " layers", "more");
      return;
    }
    for (int32_t i = 0; i < times; ++i) out.insert(out.end(), once.begin(), once.end());
  }

 private:
  void add_entry(const Tree& item, std::vector<LayerGeometry>& out) {
    if (scope_.failed()) return;
    Reader reader(item, scope_, "a layer");
    if (const Tree* of = reader.get("of")) {
      const int32_t times = reader.integer("repeat", 1, kMaxLayers).value_or(1);
      reader.finish();
      add(*of, times, out);
      return;
    }
    const int32_t count = reader.integer("count", 1, kMaxLayers).value_or(1);
    const LayerGeometry layer = read_layer(reader, base_);
    reader.finish();
    check_layer(layer, item.at, scope_);
    if (out.size() + size_t(count) > size_t(kMaxLayers)) {
      scope_.fail(item.at, "at most " + std::to_string(kMaxLayers) + " layers", "more");
      return;
    }
    out.insert(out.end(), size_t(count), layer);
  }

  const LayerGeometry& base_;
  Scope& scope_;
};

void read_dtype(Reader& reader, ModelGeometry& model) {
  const Tree* value = reader.need("dtype", "the model's dtype (f32, f16, bf16)");
  if (value == nullptr) return;
  const auto text = as_text(*value, reader.scope(), "the model's dtype (f32, f16, bf16)");
  if (!text) return;
  Result<DType> dtype = parse_dtype(*text);
  if (dtype.ok()) model.dtype = *dtype;
  if (!dtype.ok()) reader.scope().fail(value->at, std::move(dtype).error());
}

}  // namespace

void check_layer(const LayerGeometry& layer, Position at, Scope& scope) {
  if (layer.head_dim.qk < 1 || layer.head_dim.v < 1) {
    scope.fail(at, "a head size (head_dim)", "none");
  } else if (layer.q_heads % layer.kv_heads != 0) {
    scope.fail(at, "query heads that are a multiple of the KV heads",
               std::to_string(layer.q_heads) + " query heads over " +
                   std::to_string(layer.kv_heads) + " KV heads");
  } else if (layer.cache == CacheKind::kLatent && layer.kv_heads != 1) {
    scope.fail(at, "one KV head with a latent cache", std::to_string(layer.kv_heads));
  } else if (layer.cache == CacheKind::kLatent && layer.head_dim.v > layer.head_dim.qk) {
    scope.fail(
        at, "V within the latent: head_dim [qk, v] with v <= qk",
        "[" + std::to_string(layer.head_dim.qk) + ", " + std::to_string(layer.head_dim.v) + "]");
  }
}

ModelGeometry read_geometry(Reader& reader) {
  ModelGeometry model;
  if (auto name = reader.text("name", "the model's name")) model.name = *name;
  read_dtype(reader, model);
  if (const Tree* value = reader.get("ds_mla")) {
    model.ds_mla = value->text;
    if (value->text != "v32" && value->text != "v4" && value->text != "v41") {
      reader.scope().fail(value->at, "v32, v4 or v41", describe(*value));
    }
  }
  LayerGeometry base;
  if (const Tree* defaults = reader.get("layer")) {
    Reader layer(*defaults, reader.scope(), "layer");
    base = read_layer(layer, base);
    layer.finish();
  }
  if (const Tree* layers = reader.need("layers", "the model's layers")) {
    LayerList(base, reader.scope()).add(*layers, 1, model.layers);
  }
  return model;
}

std::optional<HeadDim> read_head_dim(Reader& reader) {
  const Tree* value = reader.get("head_dim");
  if (value == nullptr) return std::nullopt;
  Scope& scope = reader.scope();
  if (value->kind == Tree::Kind::kSequence && value->items.size() == 2) {
    const auto qk = as_integer(value->items[0], scope, 1, kMaxHeadDim);
    const auto v = as_integer(value->items[1], scope, 1, kMaxHeadDim);
    if (!qk || !v) return std::nullopt;
    return HeadDim{static_cast<int32_t>(*qk), static_cast<int32_t>(*v)};
  }
  if (value->kind != Tree::Kind::kScalar) {
    scope.fail(value->at, "a head size: N, or [N of q and k, N of v]", describe(*value));
    return std::nullopt;
  }
  const auto both = as_integer(*value, scope, 1, kMaxHeadDim);
  if (!both) return std::nullopt;
  return HeadDim{static_cast<int32_t>(*both), static_cast<int32_t>(*both)};
}

}  // namespace attnrt::config

namespace attnrt {

Result<ModelGeometry> parse_geometry(std::string_view yaml, std::string_view origin) {
  Result<config::Tree> tree = config::parse_tree(yaml, origin);
  if (!tree.ok()) return std::move(tree).error();
  config::Scope scope{std::string(origin)};
  config::Reader reader(*tree, scope, "a model's geometry");
  reader.allow(config::kGeometryKeys, {"attnrt_model"});
  if (reader.integer("attnrt_model", 1, 1) == std::nullopt) {
    scope.fail(tree->at, "a model's geometry (attnrt_model: 1)", "no attnrt_model");
  }
  ModelGeometry model = config::read_geometry(reader);
  reader.finish();
  if (model.name.empty()) scope.fail(tree->at, "the model's name", "no 'name'");
  if (scope.failed()) return *scope.error();
  return model;
}

}  // namespace attnrt
