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
  plugin::check_cache(view, p.kv_heads, p.block_size, p.latent != 0, has_scales(p.format));
}

}  // namespace attnrt::cpu
