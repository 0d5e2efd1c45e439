// Halves to floats and back, as the GPU's instructions round them: to nearest even, beyond the
// largest to infinity, every NaN to one.
#pragma once

#include <stdint.h>

#include <algorithm>
#include <bit>

namespace attnrt::cuda {
struct F16;
struct Bf16;
}  // namespace attnrt::cuda

namespace attnrt::simt {

template <class Half>
struct HalfFormat;
template <>
struct HalfFormat<cuda::F16> {
  static constexpr int kMantissaBits = 10;
  static constexpr int kBias = 15;
  static constexpr uint64_t kInfinity = 0x7C00;
};
template <>
struct HalfFormat<cuda::Bf16> {
  static constexpr int kMantissaBits = 7;
  static constexpr int kBias = 127;
  static constexpr uint64_t kInfinity = 0x7F80;
};

template <class Half>
float widen(uint16_t bits);
template <>
inline float widen<cuda::Bf16>(uint16_t bits) {
  return std::bit_cast<float>(uint32_t{bits} << 16);
}

// Without a branch, so that loops of it become vector code.
template <>
inline float widen<cuda::F16>(uint16_t bits) {
  const int32_t magnitude = (bits & 0x7FFF) << 13;
  const float scaled = std::bit_cast<float>(magnitude) * 0x1p112F;  // the bias of a float
  const uint32_t special = magnitude >= 0x7C00 << 13 ? 0x7F800000U : 0U;
  const uint32_t sign = (uint32_t{bits} & 0x8000U) << 16;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(scaled) | special | sign);
}

template <class Half>
uint16_t round_to_half(double x) {
  using Format = HalfFormat<Half>;
  constexpr int kDoubleMantissaBits = 52;
  constexpr uint64_t kImplicitOne = uint64_t{1} << kDoubleMantissaBits;
  if (x != x) return 0x7FFF;
  const auto bits = std::bit_cast<uint64_t>(x);
  const auto sign = static_cast<uint16_t>(bits >> 63 << 15);
  const uint64_t significand = (bits & (kImplicitOne - 1)) | kImplicitOne;
  // One less than the field of the exponent: the implicit one adds to it.
  int exponent = static_cast<int>(bits >> kDoubleMantissaBits & 0x7FF) - 1023 + Format::kBias - 1;
  int shift = kDoubleMantissaBits - Format::kMantissaBits;
  if (exponent < 0) {  // subnormal
    shift -= exponent;
    exponent = 0;
  }
  if (shift > kDoubleMantissaBits + 1) return sign;  // less than half of the smallest
  const uint64_t half = uint64_t{1} << (shift - 1);
  const uint64_t rest = significand & (2 * half - 1);
  uint64_t code =
      (static_cast<uint64_t>(exponent) << Format::kMantissaBits) + (significand >> shift);
  if (rest > half || (rest == half && code % 2 == 1)) ++code;
  return static_cast<uint16_t>(sign | std::min(code, Format::kInfinity));
}

// Pairs of halves: a register.
template <class Half>
uint32_t pack(double low, double high) {
  return uint32_t{round_to_half<Half>(high)} << 16 | round_to_half<Half>(low);
}
template <class Half>
double low(uint32_t pair) {
  return widen<Half>(static_cast<uint16_t>(pair & 0xFFFFU));
}
template <class Half>
double high(uint32_t pair) {
  return widen<Half>(static_cast<uint16_t>(pair >> 16));
}
// A product of halves is exact in double. A difference is not always, but has so many bits that
// rounding it again gives what rounding once does (Figueroa, 1995: 53 is more than 2 * 11 + 2).
template <class Half>
uint32_t multiply(uint32_t a, uint32_t b) {
  return pack<Half>(low<Half>(a) * low<Half>(b), high<Half>(a) * high<Half>(b));
}
template <class Half>
uint32_t subtract(uint32_t a, uint32_t b) {
  return pack<Half>(low<Half>(a) - low<Half>(b), high<Half>(a) - high<Half>(b));
}

}  // namespace attnrt::simt
