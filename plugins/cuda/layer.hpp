// A layer class checked against the support table, and what kernels it takes.
#pragma once

#include <attnrt/plugin.h>

#include <string_view>

#include "kernels/cuda/params.hpp"

namespace attnrt::cuda {

struct Layer {
  int32_t op;
  int32_t q_dtype;
  int32_t out_dtype;
  uint64_t features;
  Format format;
  bool scaled;    // rows or blocks have scales of their own
  bool swizzled;  // those of V within four tokens
  bool latent;
  int32_t kv_heads;
  int32_t group;
  int32_t dim_qk;
  int32_t dim_v;
  int32_t block_size;
  MaskKind mask;
  int32_t window;  // 0: none
  float softmax_scale;
  float softcap;  // 0: none

  [[nodiscard]] bool has(uint64_t feature) const { return (features & feature) != 0; }
  [[nodiscard]] int32_t q_heads() const { return kv_heads * group; }
};

// Throws PluginError: ATTNRT_UNSUPPORTED for what the manifest does not list, naming it.
Layer make_layer(std::string_view kernel, const attnrt_layer_class& c);

constexpr Dtype to_dtype(int32_t dtype) {
  if (dtype == ATTNRT_DTYPE_F16) return Dtype::kF16;
  return dtype == ATTNRT_DTYPE_BF16 ? Dtype::kBf16 : Dtype::kF32;
}

}  // namespace attnrt::cuda
