// What every codec needs: functions for host and device, and the bits of floats.
//
// The codecs are definitions: a vectorised kernel must store the same bytes and read the same
// values (a NaN's payload excepted). They use integer operations and IEEE float operations only,
// without -ffast-math, and no stored byte depends on whether a compiler fuses a product with a sum.
// Values read as double are exact; read as float they are rounded.
#ifndef ATTNRT_CODEC_HD_H_
#define ATTNRT_CODEC_HD_H_

#include <cstdint>
#include <cstring>

#if defined(__CUDACC__) || defined(__HIPCC__)
#define ATTNRT_HD __host__ __device__ inline
#else
#define ATTNRT_HD inline
#endif

#if defined(__FAST_MATH__)
#error "codecs need IEEE arithmetic: compile without -ffast-math"
#endif

namespace attnrt::codec {

inline constexpr float kMaxFloat = 3.402823466e+38F;
inline constexpr float kMinNormalFloat = 1.175494351e-38F;

ATTNRT_HD uint32_t bits_of(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

ATTNRT_HD float float_of(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

// Rows have no alignment.
template <class T>
ATTNRT_HD T load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}
template <class T>
ATTNRT_HD void store(uint8_t* to, T value) {
  std::memcpy(to, &value, sizeof(T));
}

ATTNRT_HD bool is_nan(float x) {
  return (bits_of(x) & 0x7FFFFFFFU) > 0x7F800000U;
}
ATTNRT_HD float magnitude(float x) {
  return float_of(bits_of(x) & 0x7FFFFFFFU);
}
ATTNRT_HD float larger(float a, float b) {
  return a > b ? a : b;
}
ATTNRT_HD float clamped(float x, float low, float high) {
  return x < low ? low : (x > high ? high : x);
}

// 2^exponent; from 2^-149 to 2^127.
ATTNRT_HD float power_of_two(int32_t exponent) {
  if (exponent < -126) return float_of(1U << (exponent + 149));
  return float_of(static_cast<uint32_t>(exponent + 127) << 23);
}

// To the nearest integer, halves away from zero: as roundf, for |x| < 2^23. The addend is the float
// below 0.5, which moves no value across an integer that it should not cross.
ATTNRT_HD float round_half_away(float x) {
  const float addend = float_of((bits_of(x) & 0x80000000U) | 0x3EFFFFFFU);
  return static_cast<float>(static_cast<int32_t>(x + addend));
}

// The largest magnitude of n values; NaN is left out, infinities count as the largest float.
ATTNRT_HD float absmax(const float* x, int32_t n) {
  float largest = 0.0F;
  for (int32_t i = 0; i < n; ++i) {
    const float m = magnitude(x[i]);
    if (m > largest) largest = m;  // false for NaN
  }
  return largest > kMaxFloat ? kMaxFloat : largest;
}

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_HD_H_
