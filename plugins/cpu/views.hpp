// The ABI's tensors and cache views, checked against an op's layer and turned into the kernels'.
#pragma once

#include <attnrt/plugin.hpp>

#include "layer.hpp"

namespace attnrt::cpu {

inline uint8_t* bytes_of(void* data) {
  return static_cast<uint8_t*>(data);
}

// A tensor that plugin::check_tensor has passed; strides become bytes.
inline DenseView to_view(const attnrt_tensor& t) {
  const int64_t size = plugin::dtype_bytes(t.dtype);
  return {bytes_of(t.data), t.stride[0] * size, t.stride[1] * size, to_dtype(t.dtype)};
}

inline SideView to_view(const attnrt_cache_side& s) {
  return {bytes_of(s.data),   s.block_stride,       s.token_stride,       s.head_stride,
          bytes_of(s.scales), s.scale_block_stride, s.scale_token_stride, s.scale_head_stride};
}

inline ScaleView to_view(const attnrt_scale& s) {
  return {s.data, s.count};
}

inline void check_lse(const attnrt_tensor& lse, int64_t tokens, int32_t heads) {
  if (lse.data != nullptr) plugin::check_tensor(lse, "lse", ATTNRT_DTYPE_F32, tokens, heads, 0);
}

// 8-bit outputs alone have a scale, and this plugin has none.
inline void check_no_scale(const attnrt_scale& scale, const char* name) {
  plugin::require(scale.data == nullptr || scale.count == 0 || scale.data[0] == 1.0F, name,
                  " is given, but only 8-bit tensors have a scale");
}

inline void check_cache(const attnrt_cache_view& view, const LayerParams& p) {
  using plugin::require;
  require(view.block_size == p.block_size, "cache.block_size is ", view.block_size,
          ", the op was prepared for ", p.block_size);
  require(view.heads == p.kv_heads, "cache.heads is ", view.heads, ", the op was prepared for ",
          p.kv_heads);
  require(view.blocks == 0 || view.k.data != nullptr, "cache.k.data is null");
  require(view.blocks == 0 || (p.latent != 0) == (view.v.data == nullptr), "cache.v.data is ",
          view.v.data == nullptr ? "null" : "given", p.latent != 0 ? " with" : " without",
          " a latent cache");
  const bool scaled = has_scales(p.format);
  require(!scaled || view.blocks == 0 ||
              (view.k.scales != nullptr && (p.latent != 0 || view.v.scales != nullptr)),
          "cache.k.scales or cache.v.scales is null, the format has scales of its own");
  plugin::check_scale(view.k_scale, "cache.k_scale", view.heads);
  plugin::check_scale(view.v_scale, "cache.v_scale", view.heads);
}

}  // namespace attnrt::cpu
