// The ABI's tensors and cache views, checked against an op's layer and turned into the kernels'.
#pragma once

#include <attnrt/plugin.hpp>
#include <bit>

#include "layer.hpp"

namespace attnrt::cuda {

// The largest power of 2, at most 16, that all the numbers are multiples of.
template <class... Number>
int32_t alignment_of(const void* data, Number... strides) {
  const uint64_t all = (std::bit_cast<uint64_t>(data) | ... | static_cast<uint64_t>(strides)) | 16;
  return static_cast<int32_t>(all & (~all + 1));
}

// A tensor that plugin::check_tensor has passed; strides become bytes.
inline DenseView to_view(const attnrt_tensor& t) {
  const int64_t size = plugin::dtype_bytes(t.dtype);
  const int64_t token = t.stride[0] * size;
  const int64_t head = t.stride[1] * size;
  return {static_cast<uint8_t*>(t.data), token, head, to_dtype(t.dtype),
          alignment_of(t.data, token, head)};
}

inline SideView to_view(const attnrt_cache_side& s) {
  return {static_cast<uint8_t*>(s.data),
          s.block_stride,
          s.token_stride,
          s.head_stride,
          static_cast<uint8_t*>(s.scales),
          s.scale_block_stride,
          s.scale_token_stride,
          s.scale_head_stride,
          alignment_of(s.data, s.block_stride, s.token_stride, s.head_stride),
          alignment_of(s.scales, s.scale_block_stride, s.scale_token_stride, s.scale_head_stride)};
}

inline ScaleView to_view(const attnrt_scale& s) {
  return {s.data, s.data == nullptr ? 0 : s.count};
}

// 8-bit queries and outputs alone have a scale, and this plugin has none.
inline void check_no_scale(const attnrt_scale& scale, const char* name) {
  plugin::require(scale.data == nullptr || scale.count == 0, name,
                  " is given, but only 8-bit tensors have a scale");
}

inline void check_cache(const attnrt_cache_view& view, const Layer& layer) {
  plugin::check_cache(view, layer.kv_heads, layer.block_size, layer.latent, layer.scaled);
}

// A side whose scales, where the format has none, are not looked at.
inline SideView to_side(const attnrt_cache_side& s, const Layer& layer) {
  SideView view = to_view(s);
  if (!layer.scaled) view.scales = nullptr;
  return view;
}

}  // namespace attnrt::cuda
