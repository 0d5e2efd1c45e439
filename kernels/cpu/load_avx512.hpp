// Stored values to floats, AVX-512: 32 elements as two vectors. See load_portable.hpp.
#pragma once

#include "kernels/cpu/params.hpp"
#include "kernels/cpu/simd_avx512.hpp"
#if defined(__AVX512VBMI__)
#include "kernels/cpu/codes_avx512.hpp"
#endif

namespace attnrt::cpu::ATTNRT_CPU_ISA {

constexpr bool interleaved(Format f) {
  return f == Format::kBf16 || f == Format::kE4m3 || f == Format::kE5m2 || f == Format::kE4m3Fnuz ||
         f == Format::kFp8Row;
}

// f16 bits of e4m3 values times 2^-8, from bytes in the high halves of 16-bit lanes (`low`: in the
// low halves). Adding 0x80 carries into bit 14 for a NaN (all ones) alone, which makes it f16's
// NaN.
ATTNRT_INLINE __m256i e4m3_to_f16(__m256i x) {
  const __m256i code = _mm256_and_si256(_mm256_srai_epi16(x, 1), _mm256_set1_epi16(-0x4080));
  const __m256i carry = _mm256_add_epi16(code, _mm256_set1_epi16(0x80));
  // code | (carry & 0x4000)
  return _mm256_ternarylogic_epi32(code, carry, _mm256_set1_epi16(0x4000), 0xF8);
}

// f16 bits of e4m3fnuz values times 2^-7. 0x80, which would be a negative zero, is NaN.
ATTNRT_INLINE __m256i e4m3fnuz_to_f16(__m256i x) {
  const __m256i code = _mm256_and_si256(_mm256_srai_epi16(x, 1), _mm256_set1_epi16(-0x4080));
  const __mmask16 nan = _mm256_cmpeq_epi16_mask(code, _mm256_set1_epi16(-0x8000));
  return _mm256_mask_mov_epi16(code, nan, _mm256_set1_epi16(0x7E00));
}

template <Format F>
ATTNRT_INLINE void widen(__m256i x, Vf& even, Vf& odd) {
  const __m256i low = _mm256_slli_epi16(x, 8);
  if constexpr (F == Format::kE4m3Fnuz) {
    even = _mm512_cvtph_ps(e4m3fnuz_to_f16(low));
    odd = _mm512_cvtph_ps(e4m3fnuz_to_f16(x));
  } else if constexpr (F == Format::kE4m3 || F == Format::kFp8Row) {
    even = _mm512_cvtph_ps(e4m3_to_f16(low));
    odd = _mm512_cvtph_ps(e4m3_to_f16(x));
  } else {
    static_assert(F == Format::kE5m2);
    even = _mm512_cvtph_ps(low);
    odd = _mm512_cvtph_ps(_mm256_and_si256(x, _mm256_set1_epi16(-0x100)));
  }
}

ATTNRT_INLINE void widen_bf16(__m512i x, Vf& even, Vf& odd) {
  even = floats(_mm512_slli_epi32(x, 16));
  odd = floats(_mm512_and_si512(x, _mm512_set1_epi32(-0x10000)));
}

ATTNRT_INLINE Vf widen_i8(__m128i x) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(x));
}

// kW values of e4m3 in order, times 2^-8.
ATTNRT_INLINE Vf load_e4m3(const uint8_t* p) {
  const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm512_cvtph_ps(e4m3_to_f16(_mm256_slli_epi16(_mm256_cvtepu8_epi16(codes), 8)));
}

// kW values of e2m1, two a byte, the low nibble first.
ATTNRT_INLINE Vf load_e2m1(const uint8_t* p) {
  const __m512i pairs = _mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  const __m512i codes = _mm512_or_si512(pairs, _mm512_slli_epi64(pairs, 28));
  const __m512 values = _mm512_setr_ps(0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F, -0.0F, -0.5F,
                                       -1.0F, -1.5F, -2.0F, -3.0F, -4.0F, -6.0F);
  return _mm512_permutexvar_ps(codes, values);  // looks at four bits
}

// 32 codes of 8 bits as two vectors: even and odd elements.
template <Format F>
ATTNRT_INLINE void widen_codes(__m256i x, Vf& even, Vf& odd) {
#if defined(__AVX512VBMI__)
  if constexpr (F != Format::kE5m2) return widen_bf16(decode_in_order<F>(x), even, odd);
#endif
  widen<F>(x, even, odd);
}

// 2 kW codes of four bits, two a byte, the low nibble first, less the zero point: the even ones,
// the odd ones.
ATTNRT_INLINE void load_int4(const uint8_t* p, Vf zero_point, Vf& even, Vf& odd) {
  const Vi pairs = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  const Vf values = sub(to_float(iota()), zero_point);
  even = _mm512_permutexvar_ps(pairs, values);  // looks at four bits
  odd = _mm512_permutexvar_ps(shr<4>(pairs), values);
}

template <Format F>
ATTNRT_INLINE void load_pair(const uint8_t* p, Vf& a, Vf& b) {
  if constexpr (F == Format::kF32) {
    a = _mm512_loadu_ps(p);
    b = _mm512_loadu_ps(p + 64);
  } else if constexpr (F == Format::kF16) {
    a = load_f16(p);
    b = load_f16(p + 32);
  } else if constexpr (F == Format::kBf16) {
    widen_bf16(_mm512_loadu_si512(p), a, b);
  } else if constexpr (F == Format::kInt8) {
    a = widen_i8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    b = widen_i8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16)));
  } else {
    widen_codes<F>(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), a, b);
  }
}

template <Format F>
ATTNRT_INLINE void load_pair_tail(const uint8_t* p, int n, Vf& a, Vf& b) {
  const __mmask32 mask = (1U << n) - 1U;
  const __mmask16 low = static_cast<__mmask16>(mask);
  const __mmask16 high = static_cast<__mmask16>(mask >> 16);
  if constexpr (F == Format::kF32) {
    a = _mm512_maskz_loadu_ps(low, p);
    b = _mm512_maskz_loadu_ps(high, p + 64);
  } else if constexpr (F == Format::kF16) {
    a = _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(low, p));
    b = _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(high, p + 32));
  } else if constexpr (F == Format::kBf16) {
    widen_bf16(_mm512_maskz_loadu_epi16(mask, p), a, b);
  } else if constexpr (F == Format::kInt8) {
    a = widen_i8(_mm_maskz_loadu_epi8(low, p));
    b = widen_i8(_mm_maskz_loadu_epi8(high, p + 16));
  } else {
    widen_codes<F>(_mm256_maskz_loadu_epi8(mask, p), a, b);
  }
}

}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
