// int4_per_token_head: n/2 bytes of 4-bit codes, low nibble the even element, and one f32 a
// (token, head) in line behind them that holds the scale and, in its low four mantissa bits, the
// zero point. The row is rotated first (hadamard.h), and n is a power of two.
//   scale = max((max - min) / 15, 1e-6) of the rotated values
//   zero point = -min / scale, halves away from zero, within 0 … 15
//   code = y / scale + zero point, halves away from zero, within 0 … 15
//   y is read as (code - zero point) * (the scale without its low four bits)
// The bytes are vLLM's (int4_per_token_head.py), whose writers round the rotated values to the
// model's 16-bit type and multiply by 1 / scale: codes may differ by one, the meaning does not.
// NaN is stored as 0 (before the rotation) and counted. Values are limited to the largest float
// divided by 2n, so that the rotation stays finite.
#ifndef ATTNRT_CODEC_INT4_PER_TOKEN_HEAD_H_
#define ATTNRT_CODEC_INT4_PER_TOKEN_HEAD_H_

#include "kernels/codec/hadamard.h"

namespace attnrt::codec {

struct Int4Factors {
  float scale;
  float zero;  // 0 … 15, whole
};

// Of a row's smallest and largest value.
ATTNRT_HD Int4Factors int4_factors(float low, float high) {
  const float scale = larger((high - low) / 15.0F, 1e-6F);
  return {scale, round_half_away(clamped(-low / scale, 0.0F, 15.0F))};
}
ATTNRT_HD Int4Factors int4_factors(const float* y, int32_t n) {
  float low = y[0];
  float high = y[0];
  for (int32_t i = 1; i < n; ++i) {
    low = y[i] < low ? y[i] : low;
    high = y[i] > high ? y[i] : high;
  }
  return int4_factors(low, high);
}
ATTNRT_HD uint32_t int4_factor_bits(Int4Factors f) {
  return (bits_of(f.scale) & ~0xFU) | static_cast<uint32_t>(f.zero);
}

ATTNRT_HD uint8_t int4_code(float y, Int4Factors f) {
  return static_cast<uint8_t>(round_half_away(clamped(y / f.scale + f.zero, 0.0F, 15.0F)));
}

// Rotates a copy of the row into y, without NaN. Returns the number of NaN.
ATTNRT_HD int32_t int4_prepare(const float* x, int32_t n, float* y) {
  const float limit = kMaxFloat / static_cast<float>(2 * n);
  int32_t lost = 0;
  for (int32_t i = 0; i < n; ++i) {
    const bool nan = is_nan(x[i]);
    lost += nan ? 1 : 0;
    y[i] = nan ? 0.0F : clamped(x[i], -limit, limit);
  }
  rotate(y, n);
  return lost;
}

ATTNRT_HD void int4_pack(const float* y, int32_t n, Int4Factors f, uint8_t* row) {
  for (int32_t i = 0; i < n; i += 2) {
    row[i / 2] = static_cast<uint8_t>(int4_code(y[i], f) | (int4_code(y[i + 1], f) << 4));
  }
}

template <class T>
ATTNRT_HD void int4_unpack(const uint8_t* row, int32_t n, Int4Factors f, T* out) {
  for (int32_t i = 0; i < n; ++i) {
    const int32_t code = (row[i / 2] >> (4 * (i & 1))) & 0xF;
    out[i] = (T(code) - T(f.zero)) * T(f.scale);
  }
  unrotate(out, n);
}

struct Int4PerTokenHead {
  static constexpr int64_t data_bytes(int32_t n) { return n / 2; }
  static constexpr int64_t scale_bytes(int32_t) { return 4; }
  static constexpr bool accepts(int32_t n) { return rotation_accepts(n); }

  ATTNRT_HD static int32_t encode_row(const float* x, int32_t n, uint8_t* row, uint8_t* scales) {
    float y[kMaxRotation];
    const int32_t lost = int4_prepare(x, n, y);
    const Int4Factors f = int4_factors(y, n);
    int4_pack(y, n, f, row);
    store<uint32_t>(scales, int4_factor_bits(f));
    return lost;
  }

  ATTNRT_HD static Int4Factors factors(const uint8_t* scales) {
    const uint32_t bits = load<uint32_t>(scales);
    return {float_of(bits & ~0xFU), static_cast<float>(bits & 0xFU)};
  }

  template <class T>
  ATTNRT_HD static void decode_row(const uint8_t* row, const uint8_t* scales, int32_t n, T* out) {
    int4_unpack(row, n, factors(scales), out);
  }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_INT4_PER_TOKEN_HEAD_H_
