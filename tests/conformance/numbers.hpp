// Elements of dense tensors to and from double, through the codecs' definitions.
#pragma once

#include <cstdint>
#include <vector>

#include "attnrt/format.hpp"
#include "attnrt/plugin.h"

namespace attnrt::conformance {

void encode(DType dtype, double value, void* to);
double decode(DType dtype, const void* from);
// A finite value as a type of 16 or 8 bits can say it, short of rounding: it saturates. Infinities
// too in 8 bits; NaN stays.
double saturated(DType dtype, double value);

// A dense tensor [tokens, heads, width] in the host's memory, possibly a slice of a wider one.
// `bytes` begin with the slice; between rows there is poison.
struct HostTensor {
  DType dtype = DType::kF32;
  int64_t shape[3] = {0, 0, 0};
  int64_t stride[3] = {0, 0, 1};  // elements
  std::vector<uint8_t> bytes;

  HostTensor() = default;
  // padding: elements between heads; as much again between tokens.
  HostTensor(DType dtype, int64_t tokens, int64_t heads, int64_t width, int64_t padding);
  void set(int64_t token, int64_t head, int64_t i, double value);
  double get(int64_t token, int64_t head, int64_t i) const;
  attnrt_tensor view(void* data) const;   // [tokens, heads, width]
  attnrt_tensor view2(void* data) const;  // [tokens, heads], of width 1
  // Bytes that belong to no row and are not poison any more.
  int64_t disturbed() const;
};

}  // namespace attnrt::conformance
