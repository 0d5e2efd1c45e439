// Dot products of bf16 pairs with f32 sums (AVX512-BF16, VBMI): q is bf16, K is, or becomes it by
// tables.
//
// Products are exact and sums rounded to nearest even as in f32; subnormal inputs and sums count as
// 0 (docs/accuracy.md).
#pragma once

#include "kernels/cpu/codes_avx512.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {

struct Bf16Dot {
  static constexpr bool kAvailable = true;
  using Vector = __m512bh;  // 32 values

  // Values of a step, in vectors of 32.
  template <Format F>
  static constexpr int kStep = kUnpackChunk<F>;

  // `left` values of a row of q, as those of a row of K come out of load; zeros behind.
  template <Format F>
  static inline __attribute__((always_inline)) void load_query(const uint8_t* p, int left,
                                                               Vector* to) {
    const auto at = [&](int i) {
      const int n = left - i;
      const __mmask32 mask = n >= 32 ? ~0U : n <= 0 ? 0U : (1U << n) - 1U;
      return _mm512_maskz_loadu_epi16(mask, p + 2 * i);
    };
    if constexpr (F == Format::kBf16) {
      to[0] = (Vector)at(0);
    } else {
      const __m512i a = at(0);
      const __m512i b = at(32);
      to[0] = (Vector)_mm512_shuffle_i32x4(a, b, 0x88);
      to[1] = (Vector)_mm512_shuffle_i32x4(a, b, 0xDD);
    }
  }
  // The same of K. Touches no byte behind them.
  template <Format F>
  static inline __attribute__((always_inline)) void load(const uint8_t* p, int left, Vector* to) {
    const __m512i codes = load_codes<F>(p, left);
    if constexpr (F == Format::kBf16) {
      to[0] = (Vector)codes;
    } else {
      __m512i high;
      __m512i low;
      decode_codes<F>(codes, high, low);
      to[0] = (Vector)_mm512_unpacklo_epi8(low, high);
      to[1] = (Vector)_mm512_unpackhi_epi8(low, high);
    }
  }
  static inline __attribute__((always_inline)) Vf add(Vf sum, Vector a, Vector b) {
    return _mm512_dpbf16_ps(sum, a, b);
  }
};

}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
