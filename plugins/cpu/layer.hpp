// A layer class checked against the support table and turned into what kernels take.
#pragma once

#include <attnrt/plugin.h>

#include <string_view>

#include "kernels/cpu/params.hpp"

namespace attnrt::cpu {

struct Layer {
  LayerParams params;
  int32_t op;
  int32_t q_dtype;  // ATTNRT_DTYPE_*
  int32_t out_dtype;
  uint64_t features;

  [[nodiscard]] bool has(uint64_t feature) const { return (features & feature) != 0; }
};

// Throws PluginError: ATTNRT_UNSUPPORTED for what the manifest does not list, naming it.
Layer make_layer(std::string_view kernel, const attnrt_layer_class& c);

// ATTNRT_DTYPE_F32, _F16 or _BF16.
constexpr Dtype to_dtype(int32_t dtype) {
  if (dtype == ATTNRT_DTYPE_F16) return Dtype::kF16;
  return dtype == ATTNRT_DTYPE_BF16 ? Dtype::kBf16 : Dtype::kF32;
}

}  // namespace attnrt::cpu
