// The tensors and the cache of a call, checked and as FlashInfer's kernels take them. Pure
// functions.
#pragma once

#include <attnrt/plugin/checks.hpp>

#include "layer.hpp"
#include "support.hpp"

namespace attnrt::flashinfer {

inline void check_launch(const char* what, const char* error) {
  if (error != nullptr) plugin::fail(ATTNRT_DEVICE_ERROR, what, ": ", error);
}

inline PageView to_view(const attnrt_cache_side& s, int32_t bytes, const char* name) {
  plugin::check_aligned(s, name, kAlignment);
  const PageView view{s.data, s.block_stride / bytes, s.token_stride / bytes,
                      s.head_stride / bytes};
  for (const int64_t stride : {view.block_stride, view.token_stride, view.head_stride}) {
    plugin::require(stride >= 0 && stride <= UINT32_MAX, name, " has a stride of ", stride,
                    " elements, FlashInfer counts 32 bits");
  }
  return view;
}

// K and V that a kernel finds by one set of strides.
inline void check_same_strides(bool same, const char* kernel) {
  if (!same) {
    plugin::fail(ATTNRT_UNSUPPORTED, "cache.k and cache.v differ in strides, ", kernel,
                 " has one for both: lay both out alike, or plan the layer for another kernel");
  }
}

inline const float* scale_data(const attnrt_scale& s, const char* name) {
  plugin::require(s.count <= 1, name, ".count is ", s.count,
                  ", per_head_scales is not in the manifest");
  return s.count == 0 ? nullptr : s.data;
}

// q, out, lse and the cache, as the op was prepared for them.
inline void check_args(const Layer& layer, int32_t tokens, const attnrt_attend_args& a) {
  const int32_t dim = layer.kernel.head_dim;
  plugin::check_tensor(a.q, "q", layer.q_dtype, tokens, layer.q_heads(), dim);
  plugin::check_tensor(a.out, "out", layer.q_dtype, tokens, layer.q_heads(), dim);
  if (a.lse.data != nullptr) {
    plugin::check_tensor(a.lse, "lse", ATTNRT_DTYPE_F32, tokens, layer.q_heads(), 0);
  }
  plugin::require(a.q_scale.count == 0 && a.out_scale.count == 0,
                  "q_scale or out_scale is given, but only 8-bit tensors have a scale");
  plugin::check_cache(a.cache, layer.kv_heads, layer.block_size, false, false);
  plugin::check_aligned(a.q, "q", kAlignment);
  plugin::check_aligned(a.out, "out", kAlignment);
}

// What turns a kernel's rows into the caller's: but for where they stand.
inline FinishParams finish_of(const Layer& layer, const attnrt_attend_args& a, int32_t tokens) {
  FinishParams p{};
  p.out = a.out.data;
  p.out_token_stride = a.out.stride[0];
  p.out_head_stride = a.out.stride[1];
  p.lse = static_cast<float*>(a.lse.data);
  p.lse_token_stride = a.lse.stride[0];
  p.lse_head_stride = a.lse.stride[1];
  p.tokens = tokens;
  p.heads = layer.q_heads();
  p.head_dim = layer.kernel.head_dim;
  return p;
}

}  // namespace attnrt::flashinfer
