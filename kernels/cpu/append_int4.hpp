// Rows to int4_per_token_head, bit-equal to kernels/codec/int4_per_token_head.h.
#pragma once

#include <float.h>

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// Without NaN, limited so that the rotation stays finite, and rotated. Returns the number of NaN.
inline uint64_t prepare_int4(float* x, int n) {
  const float limit = FLT_MAX / static_cast<float>(2 * n);
  int nans = 0;
  for (int i = 0; i < n; i += kW) {
    const Vf value = load(x + i);
    const Mask nan = unordered(value);
    nans += count(nan);
    store(x + i, select(nan, zero(), max(splat(-limit), min(splat(limit), value))));
  }
  rotate_row(x, n);
  return static_cast<uint64_t>(nans);
}

// Rounds halves of x >= 0 up: the float below 0.5 moves no value across an integer that it should
// not cross.
ATTNRT_INLINE Vi round_up_halves(Vf x) {
  return truncated(add(x, floats(splat_i(0x3EFFFFFF))));
}

// (value / scale + zero point) to the nearest of 0 … 15.
ATTNRT_INLINE Vi encode_int4(Vf x, Vf scale, Vf zero_point) {
  const Vf code = add(div(x, scale), zero_point);
  return round_up_halves(max(zero(), min(splat(15.0F), code)));
}

// The scale and, by it, the zero point of a prepared row.
struct Int4Range {
  float scale;
  float zero_point;
};
inline Int4Range int4_range(const float* y, int n) {
  Vf top = load(y);
  Vf bottom = top;
  for (int i = kW; i < n; i += kW) {
    top = max(top, load(y + i));
    bottom = min(bottom, load(y + i));
  }
  const float low = -largest(sub(zero(), bottom));
  const float wanted = (largest(top) - low) / 15.0F;
  const float scale = wanted > 1e-6F ? wanted : 1e-6F;
  alignas(64) float zero_point[kW];
  store(zero_point, to_float(encode_int4(splat(-low), splat(scale), zero())));
  return {scale, zero_point[0]};
}

inline uint64_t store_int4_row(float* x, int n, uint8_t* row, uint8_t* scale_at) {
  const uint64_t nans = prepare_int4(x, n);
  const Int4Range range = int4_range(x, n);
  uint32_t factors;
  memcpy(&factors, &range.scale, sizeof factors);
  factors = (factors & ~0xFU) | static_cast<uint32_t>(range.zero_point);
  memcpy(scale_at, &factors, sizeof factors);
  alignas(64) uint8_t codes[kMaxDim];
  for (int i = 0; i < n; i += kW) {
    store_u8(codes + i, encode_int4(load(x + i), splat(range.scale), splat(range.zero_point)));
  }
  for (int i = 0; i < n / 2; ++i) {
    row[i] = static_cast<uint8_t>(codes[2 * i] | codes[2 * i + 1] << 4);
  }
  return nans;
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
