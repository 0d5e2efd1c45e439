// Vectors of AVX2, FMA and F16C: 8 floats. See simd_portable.hpp for what the names mean.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#define ATTNRT_INLINE static inline __attribute__((always_inline))

namespace attnrt::cpu::ATTNRT_CPU_ISA {

constexpr int kW = 8;
constexpr int kGemmRows = 4;    // 4 rows x 2 vectors of 16 registers
constexpr int kStreamRows = 4;  // 4 rows x 2 keys, or 2 rows x 4
constexpr int kStreamSums = 8;
constexpr int kStreamChunks = 2;
constexpr int kStreamKeys = 8;

using Vf = __m256;
using Vi = __m256i;
using Mask = __m256;

ATTNRT_INLINE Vf zero() {
  return _mm256_setzero_ps();
}
ATTNRT_INLINE Vf splat(float x) {
  return _mm256_set1_ps(x);
}
ATTNRT_INLINE Vf load(const float* p) {
  return _mm256_loadu_ps(p);
}
ATTNRT_INLINE void store(float* p, Vf x) {
  _mm256_storeu_ps(p, x);
}
ATTNRT_INLINE Vf add(Vf a, Vf b) {
  return _mm256_add_ps(a, b);
}
ATTNRT_INLINE Vf sub(Vf a, Vf b) {
  return _mm256_sub_ps(a, b);
}
ATTNRT_INLINE Vf mul(Vf a, Vf b) {
  return _mm256_mul_ps(a, b);
}
ATTNRT_INLINE Vf div(Vf a, Vf b) {
  return _mm256_div_ps(a, b);
}
ATTNRT_INLINE Vf fma(Vf a, Vf b, Vf c) {
  return _mm256_fmadd_ps(a, b, c);
}
ATTNRT_INLINE Vf max(Vf a, Vf b) {
  return _mm256_max_ps(a, b);
}
ATTNRT_INLINE Vf min(Vf a, Vf b) {
  return _mm256_min_ps(a, b);
}
ATTNRT_INLINE Mask less(Vf a, Vf b) {
  return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}
ATTNRT_INLINE Mask unordered(Vf a) {
  return _mm256_cmp_ps(a, a, _CMP_UNORD_Q);
}
ATTNRT_INLINE Vf select(Mask m, Vf yes, Vf no) {
  return _mm256_blendv_ps(no, yes, m);
}
// Bit i: whether element i is true.
ATTNRT_INLINE uint32_t bits_of(Mask m) {
  return static_cast<uint32_t>(_mm256_movemask_ps(m));
}
ATTNRT_INLINE int count(Mask m) {
  return __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(m)));
}

ATTNRT_INLINE Vi splat_i(int32_t x) {
  return _mm256_set1_epi32(x);
}
ATTNRT_INLINE Vi iota() {
  return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
}
ATTNRT_INLINE Vi add_i(Vi a, Vi b) {
  return _mm256_add_epi32(a, b);
}
ATTNRT_INLINE Vi sub_i(Vi a, Vi b) {
  return _mm256_sub_epi32(a, b);
}
ATTNRT_INLINE Vi and_i(Vi a, Vi b) {
  return _mm256_and_si256(a, b);
}
ATTNRT_INLINE Vi or_i(Vi a, Vi b) {
  return _mm256_or_si256(a, b);
}
ATTNRT_INLINE Mask greater_i(Vi a, Vi b) {
  return _mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b));
}
ATTNRT_INLINE Mask equal_i(Vi a, Vi b) {
  return _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b));
}
ATTNRT_INLINE Vi bits(Vf a) {
  return _mm256_castps_si256(a);
}
ATTNRT_INLINE Vf floats(Vi a) {
  return _mm256_castsi256_ps(a);
}
ATTNRT_INLINE Vi select_i(Mask m, Vi yes, Vi no) {
  return bits(select(m, floats(yes), floats(no)));
}
template <int N>
ATTNRT_INLINE Vi shl(Vi a) {
  return _mm256_slli_epi32(a, N);
}
template <int N>
ATTNRT_INLINE Vi shr(Vi a) {
  return _mm256_srli_epi32(a, N);
}
ATTNRT_INLINE Vf to_float(Vi a) {
  return _mm256_cvtepi32_ps(a);
}
ATTNRT_INLINE Vi nearest(Vf a) {
  return _mm256_cvtps_epi32(a);
}
ATTNRT_INLINE Vi truncated(Vf a) {
  return _mm256_cvttps_epi32(a);
}

ATTNRT_INLINE __m128i load_128(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
ATTNRT_INLINE Vi load_u16(const uint8_t* p) {
  return _mm256_cvtepu16_epi32(load_128(p));
}
ATTNRT_INLINE Vf load_f16(const uint8_t* p) {
  return _mm256_cvtph_ps(load_128(p));
}
ATTNRT_INLINE __m128i narrow_u16(Vi x) {
  return _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
}
ATTNRT_INLINE void store_u16(uint8_t* p, Vi x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), narrow_u16(and_i(x, splat_i(0xFFFF))));
}
ATTNRT_INLINE void store_u8(uint8_t* p, Vi x) {
  const __m128i words = narrow_u16(and_i(x, splat_i(0xFF)));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
}

ATTNRT_INLINE float sum(Vf a) {
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
ATTNRT_INLINE float largest(Vf a) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}

// Element i ^ kDistance where element i was.
template <int kDistance>
ATTNRT_INLINE Vf swapped(Vf x) {
  if constexpr (kDistance == 1) return _mm256_permute_ps(x, 0xB1);
  if constexpr (kDistance == 2) return _mm256_permute_ps(x, 0x4E);
  if constexpr (kDistance == 4) return _mm256_permute2f128_ps(x, x, 1);
}

// to[i] = sum of the i-th argument.
ATTNRT_INLINE void store_sums4(float* to, Vf a, Vf b, Vf c, Vf d) {
  const Vf all = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
  _mm_storeu_ps(to, _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1)));
}

// to[j * to_stride + i] = from[i * from_stride + j] for i, j < 8.
ATTNRT_INLINE void transpose(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  __m256 r[8];
  __m256 t[8];
  for (int i = 0; i < 8; ++i) r[i] = load(from + i * from_stride);
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    r[4 * i + 0] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    r[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xEE);
    r[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    r[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xEE);
  }
  for (int c = 0; c < 4; ++c) {
    store(to + c * to_stride, _mm256_permute2f128_ps(r[c], r[4 + c], 0x20));
    store(to + (c + 4) * to_stride, _mm256_permute2f128_ps(r[c], r[4 + c], 0x31));
  }
}

// x * 2^n for whole n in [-126, 127].
ATTNRT_INLINE Vf scale_by_power(Vf x, Vf n) {
  return mul(x, floats(shl<23>(add_i(nearest(n), splat_i(127)))));
}
ATTNRT_INLINE Vf round_whole(Vf x) {
  return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
