// Stored codes to bf16 by tables of bytes (AVX-512 with VBMI): exact.
#pragma once

#include <immintrin.h>

#include "kernels/cpu/bf16_tables.hpp"
#include "kernels/cpu/simd_avx512.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

template <Format F>
inline constexpr int kUnpackChunk = F == Format::kBf16 ? 32 : 64;

// One chunk of a row: codes as they are stored. Values from `left` on become zeros, unread.
template <Format F>
ATTNRT_INLINE __m512i load_codes(const uint8_t* row, int left) {
  if (left >= kUnpackChunk<F>) return _mm512_loadu_si512(row);
  if constexpr (F == Format::kBf16) return _mm512_maskz_loadu_epi16((1U << left) - 1U, row);
  return _mm512_maskz_loadu_epi8((1ULL << left) - 1ULL, row);
}

// What a table of magnitudes cannot say: int8's -128 has no positive twin, and e4m3fnuz has NaN
// where a negative zero would stand.
template <Format F>
ATTNRT_INLINE __mmask64 odd_codes(__m512i codes) {
  if constexpr (F != Format::kInt8 && F != Format::kE4m3Fnuz) return 0;
  return _mm512_cmpeq_epi8_mask(codes, _mm512_set1_epi8(-128));
}
template <Format F>
inline constexpr uint16_t kOddValue = F == Format::kInt8 ? 0xC300 : 0x7FC0;  // -128, NaN

// 64 codes to the high and the low bytes of their bf16.
template <Format F>
ATTNRT_INLINE void decode_codes(__m512i codes, __m512i& high, __m512i& low) {
  const Bf16Table& t = kBf16Table<F>;
  __m512i index = codes;
  if constexpr (F == Format::kInt8) index = _mm512_abs_epi8(codes);
  high = _mm512_permutex2var_epi8(_mm512_load_si512(t.high), index, _mm512_load_si512(t.high + 64));
  low = _mm512_permutex2var_epi8(_mm512_load_si512(t.low), index, _mm512_load_si512(t.low + 64));
  // high | (codes & 0x80): the sign.
  high = _mm512_ternarylogic_epi32(high, codes, _mm512_set1_epi8(-128), 0xF8);
  if constexpr (F == Format::kInt8 || F == Format::kE4m3Fnuz) {
    const __mmask64 odd = odd_codes<F>(codes);
    high = _mm512_mask_mov_epi8(high, odd, _mm512_set1_epi8(static_cast<char>(kOddValue<F> >> 8)));
    low = _mm512_mask_mov_epi8(low, odd, _mm512_set1_epi8(static_cast<char>(kOddValue<F> & 255)));
  }
}

// 32 codes to bf16, in order.
template <Format F>
ATTNRT_INLINE __m512i decode_in_order(__m256i codes) {
  static_assert(F != Format::kInt8);
  const Bf16Table& t = kBf16Table<F>;
  constexpr __mmask64 kHigh = 0xAAAAAAAAAAAAAAAAULL;
  const __m512i sign = _mm512_set1_epi16(-0x8000);
  const __m512i twice = _mm512_shuffle_epi8(
      _mm512_cvtepu8_epi16(codes),
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12, 14, 14)));
  const __m512i high =
      _mm512_permutex2var_epi8(_mm512_load_si512(t.high), twice, _mm512_load_si512(t.high + 64));
  const __m512i low =
      _mm512_permutex2var_epi8(_mm512_load_si512(t.low), twice, _mm512_load_si512(t.low + 64));
  __m512i x = _mm512_mask_mov_epi8(low, kHigh, high);
  x = _mm512_ternarylogic_epi32(x, twice, sign, 0xF8);  // x | (twice & sign)
  if constexpr (F == Format::kE4m3Fnuz) {
    x = _mm512_mask_mov_epi8(x, odd_codes<F>(twice), _mm512_set1_epi16(kOddValue<F>));
  }
  return x;
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
