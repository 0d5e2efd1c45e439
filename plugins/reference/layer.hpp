// A layer class, checked and with names resolved: what all ops of this plugin start from.
#pragma once

#include <attnrt/plugin/checks.hpp>
#include <bit>
#include <cmath>

#include "cache_rows.hpp"

namespace attnrt::reference {

struct Layer {
  attnrt_layer_class c;
  const RowFormat* format;  // null for merge
  double softmax_scale;

  [[nodiscard]] bool has(uint64_t feature) const { return (c.features & feature) != 0; }
  [[nodiscard]] bool latent() const { return c.cache_kind == ATTNRT_CACHE_LATENT; }
  [[nodiscard]] int32_t group() const { return c.q_heads / c.kv_heads; }
};

inline void check_head_dim(int32_t n, const RowFormat& format, const char* name) {
  plugin::require(n >= 1 && n <= kMaxHeadDim && format.accepts(n), name, " is ", n,
                  ", which rows of ", std::string(format.name), " cannot have");
}

// What plugin.h demands of the features of prefill, decode and mixed.
inline void check_features(const attnrt_layer_class& c) {
  const int masks = std::popcount(c.features & plugin::kMaskFeatures);
  plugin::require(masks == 1, "features names ", masks, " masks, expected exactly one");
  const bool window = (c.features & ATTNRT_FEATURE_WINDOW) != 0;
  plugin::require(!window || c.window >= 1, "window is ", c.window, ", expected at least 1");
  const bool softcap = (c.features & ATTNRT_FEATURE_SOFTCAP) != 0;
  plugin::require(!softcap || c.softcap > 0.0F, "softcap is ", c.softcap, ", expected more than 0");
}

inline Layer make_layer(const attnrt_layer_class& c) {
  using plugin::require;
  Layer layer{c, nullptr, 0.0};
  layer.c.cache_format = nullptr;  // the caller's string is valid during prepare only
  if (c.op == ATTNRT_OP_MERGE) return layer;
  if (c.op != ATTNRT_OP_APPEND) check_features(c);

  layer.format = find_format(c.cache_format);
  if (layer.format == nullptr) {
    plugin::fail(ATTNRT_UNSUPPORTED, "cache_format is '", c.cache_format,
                 "', which is not in the manifest");
  }
  require(c.kv_heads >= 1 && c.q_heads % c.kv_heads == 0, "q_heads is ", c.q_heads,
          ", expected a multiple of kv_heads, ", c.kv_heads);
  check_head_dim(c.head_dim_qk, *layer.format, "head_dim_qk");
  if (!layer.latent()) check_head_dim(c.head_dim_v, *layer.format, "head_dim_v");
  require(!layer.latent() || c.head_dim_v <= c.head_dim_qk, "head_dim_v is ", c.head_dim_v,
          ", but a latent row holds ", c.head_dim_qk, " values");
  require(layer.format->v_scales != ScalePlacement::kSwizzled || c.block_size % 4 == 0,
          "block_size is ", c.block_size, ", expected a multiple of 4 with ",
          std::string(layer.format->name));
  layer.softmax_scale =
      c.softmax_scale == 0.0F ? 1.0 / std::sqrt(double(c.head_dim_qk)) : double{c.softmax_scale};
  return layer;
}

inline void check_view(const attnrt_cache_view& view, const Layer& layer) {
  using plugin::require;
  require(view.block_size == layer.c.block_size, "cache.block_size is ", view.block_size,
          ", the op was prepared for ", layer.c.block_size);
  require(view.heads == layer.c.kv_heads, "cache.heads is ", view.heads,
          ", the op was prepared for ", layer.c.kv_heads);
  plugin::check_scale(view.k_scale, "cache.k_scale", view.heads);
  plugin::check_scale(view.v_scale, "cache.v_scale", view.heads);
}

}  // namespace attnrt::reference
