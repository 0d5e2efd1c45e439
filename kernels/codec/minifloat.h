// Small binary floats: one encoder and one decoder for all of them.
//
// A format is a struct with kExponentBits, kMantissaBits, kBias and the magnitude codes kMaxFinite,
// kInfinity (0: none), kStoredInfinity (what an infinity is stored as: kMaxFinite where it
// saturates) and kNan (0: none, NaN is stored as zero). Codes are sign, exponent, mantissa from the
// high bit down.
#ifndef ATTNRT_CODEC_MINIFLOAT_H_
#define ATTNRT_CODEC_MINIFLOAT_H_

#include "kernels/codec/hd.h"

namespace attnrt::codec {

// sig >> drop, rounded to nearest, ties to even. sig < 2^24.
ATTNRT_HD uint32_t shift_to_even(uint32_t sig, int32_t drop) {
  if (drop > 25) return 0;  // less than a quarter of the last place
  const uint32_t kept = sig >> drop;
  const uint32_t rest = sig & ((1U << drop) - 1U);
  const uint32_t half = 1U << (drop - 1);
  return kept + ((rest > half || (rest == half && (kept & 1U) != 0)) ? 1U : 0U);
}

// The magnitude code of a finite float, rounded to nearest even, not yet limited to kMaxFinite.
template <class F>
ATTNRT_HD uint32_t round_magnitude(uint32_t magnitude_bits) {
  constexpr int32_t kLowestExponent = 1 - F::kBias;  // of normal numbers
  const int32_t field = static_cast<int32_t>(magnitude_bits >> 23);
  const uint32_t fraction = magnitude_bits & 0x7FFFFFU;
  const int32_t exponent = field == 0 ? -126 : field - 127;
  const uint32_t sig = field == 0 ? fraction : fraction | 0x800000U;
  int32_t drop = 23 - F::kMantissaBits;
  if (exponent < kLowestExponent) return shift_to_even(sig, drop + kLowestExponent - exponent);
  // A carry out of the mantissa runs into the exponent, as it should.
  const uint32_t rounded = shift_to_even(sig, drop);
  return (static_cast<uint32_t>(exponent - kLowestExponent) << F::kMantissaBits) + rounded;
}

// The code of x: nearest even; what lies beyond kMaxFinite becomes kMaxFinite.
template <class F>
ATTNRT_HD uint32_t encode_magnitude(uint32_t magnitude_bits) {
  if (magnitude_bits > 0x7F800000U) return F::kNan;
  if (magnitude_bits == 0x7F800000U) return F::kStoredInfinity;
  const uint32_t code = round_magnitude<F>(magnitude_bits);
  return code > F::kMaxFinite ? F::kMaxFinite : code;
}

template <class F>
ATTNRT_HD uint32_t encode_minifloat(float x) {
  const uint32_t bits = bits_of(x);
  const uint32_t sign = (bits >> 31) << (F::kExponentBits + F::kMantissaBits);
  return sign | encode_magnitude<F>(bits & 0x7FFFFFFFU);
}

// The value of a finite magnitude code. Exact: every such value is a float.
template <class F>
ATTNRT_HD float decode_magnitude(uint32_t code) {
  const uint32_t fraction = code & ((1U << F::kMantissaBits) - 1U);
  const int32_t field = static_cast<int32_t>(code >> F::kMantissaBits);
  const uint32_t sig = field == 0 ? fraction : fraction | (1U << F::kMantissaBits);
  const int32_t exponent = (field == 0 ? 1 : field) - F::kBias - F::kMantissaBits;
  return static_cast<float>(sig) * power_of_two(exponent);
}

template <class F>
ATTNRT_HD float decode_minifloat(uint32_t code) {
  constexpr uint32_t kSign = 1U << (F::kExponentBits + F::kMantissaBits);
  const uint32_t magnitude_code = code & (kSign - 1U);
  float value;
  if (magnitude_code <= F::kMaxFinite) {
    value = decode_magnitude<F>(magnitude_code);
  } else if (magnitude_code == F::kInfinity) {
    value = float_of(0x7F800000U);
  } else {
    value = float_of(0x7FC00000U);
  }
  return (code & kSign) != 0 ? -value : value;
}

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_MINIFLOAT_H_
