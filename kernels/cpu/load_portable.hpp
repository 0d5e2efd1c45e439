// Stored values to floats: 2 kW elements of a row as two vectors.
//
// Every instruction set has such a header. load_pair<F> reads 2 kW elements; load_pair_tail<F> the
// first n of them (a multiple of 8), touches no byte beyond and gives zeros for the rest. Where
// interleaved(F), the vectors are the even and the odd elements, else the first and the second
// half: unpacking in place is cheaper than putting in order, and q and out can be permuted instead.
// Values of e4m3 come out times 2^-8, of e4m3fnuz times 2^-7 (see value_factor), everything else as
// it is; all exact.
#pragma once

#include "kernels/cpu/params.hpp"
#include "kernels/cpu/simd_portable.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {

constexpr bool interleaved(Format) {
  return false;
}

ATTNRT_INLINE Vi load_bytes(const uint8_t* p) {
  return Vi{p[0], p[1], p[2], p[3]};
}

// kW values of e2m1, two a byte, the low nibble first.
ATTNRT_INLINE Vf load_e2m1(const uint8_t* p) {
  constexpr float kValues[16] = {0.0F,  0.5F,  1.0F,  1.5F,  2.0F,  3.0F,  4.0F,  6.0F,
                                 -0.0F, -0.5F, -1.0F, -1.5F, -2.0F, -3.0F, -4.0F, -6.0F};
  return Vf{kValues[p[0] & 15], kValues[p[0] >> 4], kValues[p[1] & 15], kValues[p[1] >> 4]};
}

// 2 kW codes of four bits, two a byte, the low nibble first, less the zero point: the even ones,
// the odd ones.
ATTNRT_INLINE void load_int4(const uint8_t* p, Vf zero_point, Vf& even, Vf& odd) {
  const Vi pairs = load_bytes(p);
  even = sub(to_float(and_i(pairs, splat_i(0xF))), zero_point);
  odd = sub(to_float(shr<4>(pairs)), zero_point);
}

template <Format F>
ATTNRT_INLINE Vf load_one(const uint8_t* p) {
  if constexpr (F == Format::kF32) {
    Vf x;
    memcpy(&x, p, sizeof(x));
    return x;
  } else if constexpr (F == Format::kF16) {
    return load_f16(p);
  } else if constexpr (F == Format::kBf16) {
    return floats(shl<16>(load_u16(p)));
  } else if constexpr (F == Format::kInt8) {
    return to_float(sub_i(load_bytes(p) ^ 0x80, splat_i(0x80)));
  } else if constexpr (F == Format::kE5m2) {
    return widen_f16(shl<8>(load_bytes(p)));
  } else if constexpr (F == Format::kE4m3Fnuz) {
    // 0x80, which would be a negative zero, is NaN.
    const Vi x = load_bytes(p);
    const Vi code = shl<8>(and_i(x, splat_i(0x80))) | shl<7>(and_i(x, splat_i(0x7F)));
    return widen_f16(select_i(equal_i(x, splat_i(0x80)), splat_i(0x7E00), code));
  } else {
    static_assert(F == Format::kE4m3 || F == Format::kFp8Row);
    // A NaN, all ones, is alone in carrying into bit 14.
    const Vi x = load_bytes(p);
    const Vi magnitude = shl<7>(and_i(x, splat_i(0x7F)));
    const Vi nan = and_i(add_i(magnitude, splat_i(0x80)), splat_i(0x4000));
    return widen_f16(shl<8>(and_i(x, splat_i(0x80))) | magnitude | nan);
  }
}

// kW values of e4m3 in order, times 2^-8.
ATTNRT_INLINE Vf load_e4m3(const uint8_t* p) {
  return load_one<Format::kE4m3>(p);
}

template <Format F>
ATTNRT_INLINE void load_pair(const uint8_t* p, Vf& a, Vf& b) {
  constexpr int kBytes = F == Format::kF32 ? 4 : F == Format::kF16 || F == Format::kBf16 ? 2 : 1;
  a = load_one<F>(p);
  b = load_one<F>(p + kW * kBytes);
}

// Rows are multiples of 8 elements, so there is never a tail.
template <Format F>
ATTNRT_INLINE void load_pair_tail(const uint8_t* p, int, Vf& a, Vf& b) {
  load_pair<F>(p, a, b);
}

}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
