// Stored values to floats, NEON: 8 elements, in order, as two vectors. See load_portable.hpp.
//
// AArch64 converts f16 in its base instruction set, so codes of 8 bits go through f16.
#pragma once

#include <string.h>

#include "kernels/cpu/params.hpp"
#include "kernels/cpu/simd_neon.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {

constexpr hn::FixedTag<uint16_t, 2 * kW> kHalves8;
constexpr hn::FixedTag<int16_t, 2 * kW> kShorts8;
using Halves8 = hn::VFromD<hn::FixedTag<uint16_t, 2 * kW>>;

constexpr bool interleaved(Format) {
  return false;
}

// The first 8 of 16 bytes, each in the high half of 16 bits.
template <class Bytes>
ATTNRT_INLINE Halves8 high_bytes(Bytes x) {
  return hn::BitCast(kHalves8, hn::InterleaveLower(kBytes16, hn::Zero(kBytes16), x));
}
ATTNRT_INLINE Halves8 load_high_bytes(const uint8_t* p) {
  return high_bytes(hn::ZeroExtendVector(kBytes16, hn::LoadU(kBytes8, p)));
}

// The sign at bit 15, the other seven bits at 7 to 13: what f16 takes for the value, divided.
ATTNRT_INLINE Halves8 spread(Halves8 x) {
  const Halves8 moved = hn::BitCast(kHalves8, hn::ShiftRight<1>(hn::BitCast(kShorts8, x)));
  return hn::And(moved, hn::Set(kHalves8, 0xBF80));
}

// f16 bits of e4m3 values times 2^-8, from bytes in the high halves. Adding 0x80 carries into bit
// 14 for a NaN (all ones) alone, which makes it f16's NaN.
ATTNRT_INLINE Halves8 e4m3_to_f16(Halves8 x) {
  const Halves8 code = spread(x);
  const Halves8 carry = hn::Add(code, hn::Set(kHalves8, 0x80));
  return hn::IfVecThenElse(hn::Set(kHalves8, 0x4000), carry, code);
}

// f16 bits of e4m3fnuz values times 2^-7. 0x80, which would be a negative zero, is NaN.
ATTNRT_INLINE Halves8 e4m3fnuz_to_f16(Halves8 x) {
  const Halves8 code = spread(x);
  const auto nan = hn::Eq(code, hn::Set(kHalves8, 0x8000));
  return hn::IfThenElse(nan, hn::Set(kHalves8, 0x7E00), code);
}

ATTNRT_INLINE void widen_f16_pair(Halves8 x, Vf& a, Vf& b) {
  a = widen_f16(hn::LowerHalf(kHalves, x));
  b = widen_f16(hn::UpperHalf(kHalves, x));
}

ATTNRT_INLINE void load_bf16_pair(const uint8_t* p, Vf& a, Vf& b) {
  const Halves8 x = hn::BitCast(kHalves8, hn::LoadU(kBytes16, p));
  const Halves8 low = hn::Zero(kHalves8);
  a = hn::BitCast(kFloats, hn::InterleaveLower(kHalves8, low, x));
  b = hn::BitCast(kFloats, hn::InterleaveUpper(kHalves8, low, x));
}

ATTNRT_INLINE void load_int8_pair(const uint8_t* p, Vf& a, Vf& b) {
  const auto codes = hn::BitCast(hn::FixedTag<int8_t, 2 * kW>(), hn::LoadU(kBytes8, p));
  const auto wide = hn::PromoteTo(kShorts8, codes);
  constexpr hn::FixedTag<int16_t, kW> kHalf;
  a = to_float(hn::PromoteTo(kInts, hn::LowerHalf(kHalf, wide)));
  b = to_float(hn::PromoteTo(kInts, hn::UpperHalf(kHalf, wide)));
}

// kW values of e4m3 in order, times 2^-8.
ATTNRT_INLINE Vf load_e4m3(const uint8_t* p) {
  uint32_t four;
  memcpy(&four, p, sizeof(four));
  const Halves8 x = high_bytes(hn::BitCast(kBytes16, hn::Set(kUnsigned, four)));
  return widen_f16(hn::LowerHalf(kHalves, e4m3_to_f16(x)));
}

// kW values of e2m1, two a byte, the low nibble first: as f16 they differ in the high byte alone.
ATTNRT_INLINE Vf load_e2m1(const uint8_t* p) {
  alignas(16) static constexpr uint8_t kHighBytes[16] = {0x00, 0x38, 0x3C, 0x3E, 0x40, 0x42,
                                                         0x44, 0x46, 0x80, 0xB8, 0xBC, 0xBE,
                                                         0xC0, 0xC2, 0xC4, 0xC6};
  alignas(8) static constexpr uint16_t kPlaces[4] = {0, 4, 8, 12};
  uint16_t four;
  memcpy(&four, p, sizeof(four));
  const auto moved = hn::Shr(hn::Set(kHalves, four), hn::Load(kHalves, kPlaces));
  const auto codes = hn::And(moved, hn::Set(kHalves, 15));
  const auto bytes = hn::TableLookupBytes(hn::Load(kBytes16, kHighBytes), codes);
  return widen_f16(hn::ShiftLeft<8>(bytes));
}

// 2 kW codes of four bits, two a byte, the low nibble first, less the zero point: the even ones,
// the odd ones.
ATTNRT_INLINE void load_int4(const uint8_t* p, Vf zero_point, Vf& even, Vf& odd) {
  const Vi pairs = hn::PromoteTo(kInts, hn::LoadU(kBytes4, p));
  even = sub(to_float(and_i(pairs, splat_i(0xF))), zero_point);
  odd = sub(to_float(shr<4>(pairs)), zero_point);
}

template <Format F>
ATTNRT_INLINE void load_pair(const uint8_t* p, Vf& a, Vf& b) {
  if constexpr (F == Format::kF32) {
    a = load(reinterpret_cast<const float*>(p));
    b = load(reinterpret_cast<const float*>(p + 16));
  } else if constexpr (F == Format::kF16) {
    a = load_f16(p);
    b = load_f16(p + 8);
  } else if constexpr (F == Format::kBf16) {
    load_bf16_pair(p, a, b);
  } else if constexpr (F == Format::kInt8) {
    load_int8_pair(p, a, b);
  } else if constexpr (F == Format::kE4m3Fnuz) {
    widen_f16_pair(e4m3fnuz_to_f16(load_high_bytes(p)), a, b);
  } else if constexpr (F == Format::kE4m3 || F == Format::kFp8Row) {
    widen_f16_pair(e4m3_to_f16(load_high_bytes(p)), a, b);
  } else {
    static_assert(F == Format::kE5m2);
    widen_f16_pair(load_high_bytes(p), a, b);
  }
}

// Rows are multiples of 8 elements, so there is never a tail.
template <Format F>
ATTNRT_INLINE void load_pair_tail(const uint8_t* p, int, Vf& a, Vf& b) {
  load_pair<F>(p, a, b);
}

}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
