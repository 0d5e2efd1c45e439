// Dot products of bf16 pairs with f32 sums (AVX512-BF16): q and K both bf16, no widening needed.
//
// Products are exact and sums rounded to nearest even as in f32; subnormal inputs and sums count as
// 0 (docs/accuracy.md).
#pragma once

#include "kernels/cpu/simd_avx512.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {

struct Bf16Dot {
  static constexpr bool kAvailable = true;
  using Vector = __m512bh;  // 32 values in order

  static inline __attribute__((always_inline)) Vector load(const uint8_t* p) {
    return (Vector)_mm512_loadu_si512(p);
  }
  // The first n values, zeros behind; no byte beyond is touched.
  static inline __attribute__((always_inline)) Vector load_tail(const uint8_t* p, int n) {
    return (Vector)_mm512_maskz_loadu_epi16((1U << n) - 1U, p);
  }
  static inline __attribute__((always_inline)) Vf add(Vf sum, Vector a, Vector b) {
    return _mm512_dpbf16_ps(sum, a, b);
  }
};

}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
