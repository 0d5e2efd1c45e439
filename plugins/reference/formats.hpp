// The cache formats by name, as functions on rows. Each is a codec of kernels/codec.
#pragma once

#include <cstdint>
#include <string_view>

namespace attnrt::reference {

enum class ScalePlacement : uint8_t {
  kBySide,   // scales + strides, or none at all
  kSwizzled  // V's scales permuted within four tokens (nvfp4_swizzled.h)
};

struct RowFormat {
  std::string_view name;
  ScalePlacement v_scales;
  int64_t (*scale_bytes)(int32_t n);
  bool (*accepts)(int32_t n);
  // Both take the row's first byte and its scales' first byte; see kernels/codec/plain_row.h.
  int32_t (*encode)(const float* x, int32_t n, uint8_t* row, uint8_t* scales);
  void (*decode)(const uint8_t* row, const uint8_t* scales, int32_t n, double* out);
};

// Null for a name that is not in the manifest.
const RowFormat* find_format(std::string_view name);

}  // namespace attnrt::reference
