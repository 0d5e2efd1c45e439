// Stored values to floats, AVX2 and F16C: 16 elements as two vectors. See load_portable.hpp.
#pragma once

#include <string.h>

#include "kernels/cpu/params.hpp"
#include "kernels/cpu/simd_avx2.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {

constexpr bool interleaved(Format f) {
  return f == Format::kBf16 || f == Format::kE4m3 || f == Format::kE5m2 || f == Format::kE4m3Fnuz ||
         f == Format::kFp8Row;
}

// f16 bits of e4m3 values times 2^-8, from bytes in the high halves of 16-bit lanes. Adding 0x80
// carries into bit 14 for a NaN (all ones) alone, which makes it f16's NaN.
ATTNRT_INLINE __m128i e4m3_to_f16(__m128i x) {
  const __m128i code = _mm_and_si128(_mm_srai_epi16(x, 1), _mm_set1_epi16(-0x4080));
  const __m128i carry = _mm_add_epi16(code, _mm_set1_epi16(0x80));
  return _mm_or_si128(code, _mm_and_si128(carry, _mm_set1_epi16(0x4000)));
}

// f16 bits of e4m3fnuz values times 2^-7. 0x80, which would be a negative zero, is NaN.
ATTNRT_INLINE __m128i e4m3fnuz_to_f16(__m128i x) {
  const __m128i code = _mm_and_si128(_mm_srai_epi16(x, 1), _mm_set1_epi16(-0x4080));
  const __m128i nan = _mm_cmpeq_epi16(code, _mm_set1_epi16(-0x8000));
  return _mm_or_si128(code, _mm_and_si128(nan, _mm_set1_epi16(0x7E00)));
}

ATTNRT_INLINE Vf widen_i8(const uint8_t* p) {
  const __m128i x = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(x));
}

// kW values of e4m3 in order, times 2^-8.
ATTNRT_INLINE Vf load_e4m3(const uint8_t* p) {
  const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm256_cvtph_ps(e4m3_to_f16(_mm_slli_epi16(_mm_cvtepu8_epi16(codes), 8)));
}

// kW values of e2m1, two a byte, the low nibble first.
ATTNRT_INLINE Vf load_e2m1(const uint8_t* p) {
  int32_t four;
  memcpy(&four, p, sizeof(four));
  const __m256i pairs = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four));
  const __m256i codes = _mm256_or_si256(pairs, _mm256_slli_epi64(pairs, 28));
  const __m256 magnitudes = _mm256_setr_ps(0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F);
  const __m256 x = _mm256_permutevar8x32_ps(magnitudes, codes);  // looks at three bits
  const __m256i sign = and_i(shl<28>(codes), splat_i(INT32_MIN));
  return floats(or_i(bits(x), sign));
}

// 2 kW values of e2m1 times 2, two a byte, the low nibble first: the even ones, the odd ones.
ATTNRT_INLINE void load_doubled_e2m1(const uint8_t* p, Vf& even, Vf& odd) {
  const __m128i doubled = _mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
  const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  const __m128i low = _mm_and_si128(codes, _mm_set1_epi8(0xF));
  const __m128i high = _mm_and_si128(_mm_srli_epi16(codes, 4), _mm_set1_epi8(0xF));
  even = to_float(_mm256_cvtepi8_epi32(_mm_shuffle_epi8(doubled, low)));
  odd = to_float(_mm256_cvtepi8_epi32(_mm_shuffle_epi8(doubled, high)));
}

// 2 kW codes of four bits, two a byte, the low nibble first, less the zero point: the even ones,
// the odd ones.
ATTNRT_INLINE void load_int4(const uint8_t* p, Vf zero_point, Vf& even, Vf& odd) {
  const Vi pairs = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  even = sub(to_float(and_i(pairs, splat_i(0xF))), zero_point);
  odd = sub(to_float(shr<4>(pairs)), zero_point);
}

// 16 elements of 16 or 8 bits.
template <Format F>
ATTNRT_INLINE void widen_halves(__m256i x, Vf& a, Vf& b) {
  if constexpr (F == Format::kF16) {
    a = _mm256_cvtph_ps(_mm256_castsi256_si128(x));
    b = _mm256_cvtph_ps(_mm256_extracti128_si256(x, 1));
  } else {
    static_assert(F == Format::kBf16);
    a = floats(_mm256_slli_epi32(x, 16));
    b = floats(_mm256_and_si256(x, _mm256_set1_epi32(-0x10000)));
  }
}
template <Format F>
ATTNRT_INLINE void widen_bytes(__m128i x, Vf& a, Vf& b) {
  if constexpr (F == Format::kInt8) {
    a = to_float(_mm256_cvtepi8_epi32(x));
    b = to_float(_mm256_cvtepi8_epi32(_mm_srli_si128(x, 8)));
  } else if constexpr (F == Format::kE4m3Fnuz) {
    a = _mm256_cvtph_ps(e4m3fnuz_to_f16(_mm_slli_epi16(x, 8)));
    b = _mm256_cvtph_ps(e4m3fnuz_to_f16(x));
  } else if constexpr (F == Format::kE4m3 || F == Format::kFp8Row) {
    a = _mm256_cvtph_ps(e4m3_to_f16(_mm_slli_epi16(x, 8)));
    b = _mm256_cvtph_ps(e4m3_to_f16(x));
  } else {
    static_assert(F == Format::kE5m2);
    a = _mm256_cvtph_ps(_mm_slli_epi16(x, 8));
    b = _mm256_cvtph_ps(_mm_and_si128(x, _mm_set1_epi16(-0x100)));
  }
}

template <Format F>
ATTNRT_INLINE void load_pair(const uint8_t* p, Vf& a, Vf& b) {
  if constexpr (F == Format::kF32) {
    a = load(reinterpret_cast<const float*>(p));
    b = load(reinterpret_cast<const float*>(p + 32));
  } else if constexpr (F == Format::kF16 || F == Format::kBf16) {
    widen_halves<F>(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), a, b);
  } else if constexpr (F == Format::kInt8) {
    a = widen_i8(p);  // two loads cost less than a shift
    b = widen_i8(p + 8);
  } else {
    widen_bytes<F>(load_128(p), a, b);
  }
}

// Rows are multiples of 8 elements, so a tail is half a pair; what lies behind it may be another's
// memory.
template <Format F>
ATTNRT_INLINE void load_pair_tail(const uint8_t* p, int, Vf& a, Vf& b) {
  if constexpr (F == Format::kF32) {
    a = load(reinterpret_cast<const float*>(p));
    b = zero();
  } else if constexpr (F == Format::kF16 || F == Format::kBf16) {
    widen_halves<F>(_mm256_zextsi128_si256(load_128(p)), a, b);
  } else {
    widen_bytes<F>(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)), a, b);
  }
}

}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
