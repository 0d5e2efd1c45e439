// A Hugging Face config.json -> a geometry. Keys that have no bearing on attention are not read.
#include <cmath>
#include <optional>

#include "attnrt/geometry.hpp"
#include "config/geometry_hf_table.hpp"
#include "config/geometry_yaml.hpp"
#include "config/reader.hpp"
#include "format/nearest.hpp"

namespace attnrt {
namespace config {
namespace {

constexpr int32_t kMaxCount = 1 << 20;

// A key that is written, even as null: null often says "none" where absence says "the default".
bool written(const Tree& tree, std::string_view key) {
  for (const Tree::Field& field : tree.fields) {
    if (field.key == key) return true;
  }
  return false;
}

Position position_of(const Tree& tree, std::string_view key) {
  const Tree* value = tree.find(key);
  return value == nullptr ? tree.at : value->at;
}

class HfReader {
 public:
  HfReader(const Tree& root, Scope& scope)
      : root_(root),
        text_(root.find("text_config") ? *root.find("text_config") : root),
        scope_(scope),
        reader_(text_, scope, "config.json") {}

  ModelGeometry read() {
    ModelGeometry model;
    const Architecture* arch = find_architecture();
    if (arch == nullptr) return model;
    refuse_what_a_geometry_cannot_say();
    model.dtype = read_dtype();
    if (const Tree* type = text_.find("model_type")) model.name = type->text;
    const auto count = need_integer("num_hidden_layers", kMaxLayers, 0);
    const LayerGeometry layer = arch->latent ? read_latent(*arch) : read_heads(*arch);
    check_layer(layer, position_of(text_, "num_attention_heads"), scope_);
    if (scope_.failed()) return model;
    model.layers.assign(size_t(count), layer);
    apply_windows(*arch, model.layers);
    return model;
  }

 private:
  const Architecture* find_architecture() {
    const Tree* list = root_.find("architectures");
    const Tree* type = text_.find("model_type");
    const Tree* wanted = list != nullptr && !list->items.empty() ? &list->items.front() : type;
    if (wanted == nullptr) {
      scope_.fail(root_.at, "a model's config.json with 'architectures' or 'model_type'",
                  "neither of them");
      return nullptr;
    }
    std::vector<std::string_view> names;
    for (const Architecture& a : architectures()) {
      names.push_back(a.name);
      const bool same = wanted == type ? wanted->text == a.model_type : wanted->text == a.name;
      if (!same) continue;
      if (type != nullptr && type->text != a.model_type) {
        scope_.fail(type->at,
                    "model_type '" + std::string(a.model_type) + "' of " + std::string(a.name),
                    in_quotes(type->text), "the file contradicts itself");
        return nullptr;
      }
      return &a;
    }
    scope_.fail(wanted->at, unknown_name("a known architecture", wanted->text, names));
    return nullptr;
  }

  void refuse_what_a_geometry_cannot_say() {
    if (text_.find("index_topk") != nullptr) {
      scope_.fail(position_of(text_, "index_topk"), "dense attention", "sparse (index_topk)",
                  "sparse attention is reserved: its parameters are not defined yet");
    }
    if (const Tree* both = text_.find("use_bidirectional_attention");
        both && both->text == "true") {
      scope_.fail(both->at, "causal attention", "use_bidirectional_attention",
                  "describe the layers with mask: non_causal in a geometry of your own");
    }
  }

  DType read_dtype() {
    for (const Tree* tree : {&text_, &root_}) {
      for (const char* key : {"dtype", "torch_dtype"}) {
        const Tree* value = tree->find(key);
        if (value == nullptr) continue;
        Result<DType> dtype = parse_dtype(value->text);
        if (dtype.ok()) return *dtype;
        scope_.fail(value->at, std::move(dtype).error());
      }
    }
    scope_.fail(text_.at, "the dtype of the model", "neither 'dtype' nor 'torch_dtype'",
                "add \"torch_dtype\": \"bfloat16\", or whatever it is run in");
    return DType::kBf16;
  }

  // `otherwise`: the class default, 0 if the file must say.
  int32_t need_integer(const char* key, int32_t max, int32_t otherwise) {
    const auto value = reader_.integer(key, 1, max);
    if (value) return *value;
    if (otherwise == 0) scope_.fail(text_.at, std::string("the key ") + key, "none");
    return otherwise;
  }

  LayerGeometry read_heads(const Architecture& arch) {
    LayerGeometry layer;
    layer.q_heads = need_integer("num_attention_heads", kMaxCount, arch.q_heads);
    if (scope_.failed()) return layer;
    layer.kv_heads = reader_.integer("num_key_value_heads", 1, kMaxCount)
                         .value_or(arch.kv_heads > 0 ? arch.kv_heads : layer.q_heads);
    const int32_t dim = read_head_dim(arch, layer.q_heads);
    layer.head_dim = {dim, dim};
    layer.softmax_scale = read_scale(arch);
    layer.sinks = arch.sinks;
    const auto softcap = reader_.number("attn_logit_softcapping", 0, 1e6);
    const bool said = written(text_, "attn_logit_softcapping");
    layer.softcap = float(said ? softcap.value_or(0) : arch.softcap);
    return layer;
  }

  int32_t read_head_dim(const Architecture& arch, int32_t heads) {
    if (const auto given = reader_.integer("head_dim", 1, kMaxCount)) return *given;
    if (arch.head_dim > 0) return arch.head_dim;
    const int32_t hidden = need_integer("hidden_size", kMaxCount, 0);
    if (hidden % heads != 0) {
      scope_.fail(position_of(text_, "hidden_size"),
                  "head_dim, or a hidden_size that is a multiple of num_attention_heads",
                  std::to_string(hidden) + " over " + std::to_string(heads) + " heads");
    }
    return hidden / heads;
  }

  float read_scale(const Architecture& arch) {
    if (arch.scale == SoftmaxScale::kQueryScalar) {
      const auto scalar = reader_.number("query_pre_attn_scalar", 1e-6, 1e6);
      return float(1 / std::sqrt(scalar.value_or(arch.query_scalar)));
    }
    if (arch.scale == SoftmaxScale::kMultiplier) {
      return float(reader_.number("attention_multiplier", 1e-6, 1e6).value_or(1));
    }
    return 0;
  }

  // Multi-head latent attention in its absorbed form: one KV head, whose row is the latent followed
  // by the RoPE part; V is the latent.
  LayerGeometry read_latent(const Architecture& arch) {
    LayerGeometry layer;
    layer.q_heads = need_integer("num_attention_heads", kMaxCount, arch.q_heads);
    layer.kv_heads = 1;
    layer.cache = CacheKind::kLatent;
    const int32_t latent = need_integer("kv_lora_rank", kMaxCount, 0);
    const int32_t rope = need_integer("qk_rope_head_dim", kMaxCount, 0);
    const int32_t nope = need_integer("qk_nope_head_dim", kMaxCount, 0);
    layer.head_dim = {latent + rope, latent};
    // The scale is that of the unabsorbed head, with YaRN's correction.
    const double stretch = yarn_stretch();
    layer.softmax_scale = float(stretch * stretch / std::sqrt(double(nope + rope)));
    return layer;
  }

  double yarn_stretch() {
    const Tree* scaling = text_.find("rope_scaling");
    if (scaling == nullptr) scaling = text_.find("rope_parameters");
    if (scaling == nullptr) return 1;
    Reader reader(*scaling, scope_, "rope_scaling");
    const double factor = reader.number("factor", 1, 1e6).value_or(1);
    const double all_dim = reader.number("mscale_all_dim", 0, 1e3).value_or(0);
    return all_dim == 0 ? 1 : 0.1 * all_dim * std::log(factor) + 1;
  }

  std::optional<int32_t> read_window(const Architecture& arch) {
    const auto window = reader_.integer("sliding_window", 1, 1 << 30);
    if (window || written(text_, "sliding_window") || arch.window == 0) return window;
    return arch.window;
  }

  void apply_windows(const Architecture& arch, std::vector<LayerGeometry>& layers) {
    const std::optional<int32_t> window = read_window(arch);
    std::vector<bool> slides = sliding_by_rule(arch, layers.size(), window.has_value());
    if (const Tree* types = text_.find("layer_types")) read_layer_types(*types, arch, slides);
    for (size_t i = 0; i < layers.size(); ++i) {
      if (!slides[i]) continue;
      if (!window) {
        scope_.fail(position_of(text_, "layer_types"), "a sliding_window for the sliding layers",
                    "none", "the file contradicts itself");
        return;
      }
      layers[i].window = *window;
    }
  }

  int32_t pattern(const Architecture& arch) {
    for (const char* key : {"sliding_window_pattern", "_sliding_window_pattern"}) {
      if (const auto n = reader_.integer(key, 1, kMaxLayers)) return *n;
    }
    return arch.pattern;
  }

  std::vector<bool> sliding_by_rule(const Architecture& arch, size_t layers, bool has_window) {
    std::vector<bool> slides(layers, false);
    if (!has_window || arch.sliding == Sliding::kNever) return slides;
    if (arch.sliding == Sliding::kAll) slides.assign(layers, true);
    if (arch.sliding == Sliding::kAllButEveryNth) {
      const auto n = size_t(pattern(arch));
      for (size_t i = 0; i < layers; ++i) slides[i] = (i + 1) % n != 0;
    }
    if (arch.sliding == Sliding::kFromMaxWindow && reader_.flag("use_sliding_window") == true) {
      const auto first = reader_.integer("max_window_layers", 0, kMaxLayers);
      if (!first && text_.find("layer_types") == nullptr) {
        scope_.fail(position_of(text_, "use_sliding_window"), "max_window_layers or layer_types",
                    "neither of them");
      }
      for (size_t i = size_t(first.value_or(0)); i < layers; ++i) slides[i] = true;
    }
    return slides;
  }

  // layer_types says it outright; a rule that is written too must agree.
  void read_layer_types(const Tree& types, const Architecture& arch, std::vector<bool>& slides) {
    if (types.items.size() != slides.size()) {
      scope_.fail(types.at, std::to_string(slides.size()) + " layer_types (num_hidden_layers)",
                  std::to_string(types.items.size()), "the file contradicts itself");
      return;
    }
    const bool rule_written =
        written(text_, "sliding_window_pattern") || written(text_, "_sliding_window_pattern") ||
        (arch.sliding == Sliding::kFromMaxWindow && text_.find("use_sliding_window") != nullptr);
    for (size_t i = 0; i < slides.size(); ++i) {
      const Tree& type = types.items[i];
      const bool sliding = type.text == "sliding_attention";
      if (!sliding && type.text != "full_attention") {
        scope_.fail(type.at, "sliding_attention or full_attention", describe(type),
                    "other kinds of attention have no geometry");
        return;
      }
      if (rule_written && sliding != slides[i]) {
        scope_.fail(type.at,
                    slides[i] ? "sliding_attention, as the file's own rule says"
                              : "full_attention, as the file's own rule says",
                    describe(type), "the file contradicts itself");
        return;
      }
      slides[i] = sliding;
    }
  }

  const Tree& root_;
  const Tree& text_;
  Scope& scope_;
  Reader reader_;
};

}  // namespace
}  // namespace config

Result<ModelGeometry> parse_hf_config(std::string_view json, std::string_view origin,
                                      std::string_view name) {
  Result<config::Tree> tree = config::parse_tree(json, origin);
  if (!tree.ok()) return std::move(tree).error();
  config::Scope scope{std::string(origin)};
  if (tree->kind != config::Tree::Kind::kMapping) {
    scope.fail(tree->at, "a model's config.json (an object)", config::describe(*tree));
    return *scope.error();
  }
  ModelGeometry model = config::HfReader(*tree, scope).read();
  if (scope.failed()) return *scope.error();
  const config::Tree* path = tree->find("_name_or_path");
  if (path != nullptr && !path->text.empty()) {
    model.name = path->text.substr(path->text.find_last_of('/') + 1);
  }
  if (!name.empty()) model.name = name;
  return model;
}

std::vector<std::string> known_architectures() {
  std::vector<std::string> names;
  for (const config::Architecture& a : config::architectures()) names.emplace_back(a.name);
  return names;
}

}  // namespace attnrt
