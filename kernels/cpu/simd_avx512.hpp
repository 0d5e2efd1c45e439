// Vectors of AVX-512 F/BW/VL/DQ: 16 floats. See simd_portable.hpp for what the names mean.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#define ATTNRT_INLINE static inline __attribute__((always_inline))

namespace attnrt::cpu::ATTNRT_CPU_ISA {

constexpr int kW = 16;
constexpr int kGemmRows = 8;    // 8 rows x 2 vectors of accumulators
constexpr int kStreamRows = 4;  // 4 rows x 4 keys of accumulators
constexpr int kStreamSums = 16;
constexpr int kStreamChunks = 2;
constexpr int kStreamKeys = 4;

using Vf = __m512;
using Vi = __m512i;
using Mask = __mmask16;

ATTNRT_INLINE Vf zero() {
  return _mm512_setzero_ps();
}
ATTNRT_INLINE Vf splat(float x) {
  return _mm512_set1_ps(x);
}
ATTNRT_INLINE Vf load(const float* p) {
  return _mm512_loadu_ps(p);
}
ATTNRT_INLINE void store(float* p, Vf x) {
  _mm512_storeu_ps(p, x);
}
ATTNRT_INLINE Vf add(Vf a, Vf b) {
  return _mm512_add_ps(a, b);
}
ATTNRT_INLINE Vf sub(Vf a, Vf b) {
  return _mm512_sub_ps(a, b);
}
ATTNRT_INLINE Vf mul(Vf a, Vf b) {
  return _mm512_mul_ps(a, b);
}
ATTNRT_INLINE Vf div(Vf a, Vf b) {
  return _mm512_div_ps(a, b);
}
ATTNRT_INLINE Vf fma(Vf a, Vf b, Vf c) {
  return _mm512_fmadd_ps(a, b, c);
}
ATTNRT_INLINE Vf max(Vf a, Vf b) {
  return _mm512_max_ps(a, b);
}
ATTNRT_INLINE Vf min(Vf a, Vf b) {
  return _mm512_min_ps(a, b);
}
ATTNRT_INLINE Mask less(Vf a, Vf b) {
  return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
ATTNRT_INLINE Mask unordered(Vf a) {
  return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
}
ATTNRT_INLINE Vf select(Mask m, Vf yes, Vf no) {
  return _mm512_mask_blend_ps(m, no, yes);
}
// Bit i: whether element i is true.
ATTNRT_INLINE uint32_t bits_of(Mask m) {
  return m;
}
ATTNRT_INLINE int count(Mask m) {
  return __builtin_popcount(m);
}

ATTNRT_INLINE Vi splat_i(int32_t x) {
  return _mm512_set1_epi32(x);
}
ATTNRT_INLINE Vi iota() {
  return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
ATTNRT_INLINE Vi add_i(Vi a, Vi b) {
  return _mm512_add_epi32(a, b);
}
ATTNRT_INLINE Vi sub_i(Vi a, Vi b) {
  return _mm512_sub_epi32(a, b);
}
ATTNRT_INLINE Vi and_i(Vi a, Vi b) {
  return _mm512_and_si512(a, b);
}
ATTNRT_INLINE Vi or_i(Vi a, Vi b) {
  return _mm512_or_si512(a, b);
}
ATTNRT_INLINE Mask greater_i(Vi a, Vi b) {
  return _mm512_cmpgt_epi32_mask(a, b);
}
ATTNRT_INLINE Mask equal_i(Vi a, Vi b) {
  return _mm512_cmpeq_epi32_mask(a, b);
}
ATTNRT_INLINE Vi select_i(Mask m, Vi yes, Vi no) {
  return _mm512_mask_blend_epi32(m, no, yes);
}
template <int N>
ATTNRT_INLINE Vi shl(Vi a) {
  return _mm512_slli_epi32(a, N);
}
template <int N>
ATTNRT_INLINE Vi shr(Vi a) {
  return _mm512_srli_epi32(a, N);
}
ATTNRT_INLINE Vi bits(Vf a) {
  return _mm512_castps_si512(a);
}
ATTNRT_INLINE Vf floats(Vi a) {
  return _mm512_castsi512_ps(a);
}
ATTNRT_INLINE Vf to_float(Vi a) {
  return _mm512_cvtepi32_ps(a);
}
ATTNRT_INLINE Vi nearest(Vf a) {
  return _mm512_cvtps_epi32(a);
}
ATTNRT_INLINE Vi truncated(Vf a) {
  return _mm512_cvttps_epi32(a);
}

ATTNRT_INLINE Vi load_u16(const uint8_t* p) {
  return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
ATTNRT_INLINE Vf load_f16(const uint8_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
ATTNRT_INLINE void store_u16(uint8_t* p, Vi x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(x));
}
ATTNRT_INLINE void store_u8(uint8_t* p, Vi x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x));
}

ATTNRT_INLINE float sum(Vf a) {
  return _mm512_reduce_add_ps(a);
}
ATTNRT_INLINE float largest(Vf a) {
  return _mm512_reduce_max_ps(a);
}

// Element i ^ kDistance where element i was.
template <int kDistance>
ATTNRT_INLINE Vf swapped(Vf x) {
  if constexpr (kDistance == 1) return _mm512_permute_ps(x, 0xB1);
  if constexpr (kDistance == 2) return _mm512_permute_ps(x, 0x4E);
  if constexpr (kDistance == 4) return _mm512_shuffle_f32x4(x, x, 0xB1);
  if constexpr (kDistance == 8) return _mm512_shuffle_f32x4(x, x, 0x4E);
}

// to[i] = sum of the i-th argument.
ATTNRT_INLINE void store_sums4(float* to, Vf a, Vf b, Vf c, Vf d) {
  const Vf ab = add(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  const Vf cd = add(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
  const Vf lo = _mm512_shuffle_ps(ab, cd, 0x44);
  const Vf hi = _mm512_shuffle_ps(ab, cd, 0xEE);
  const Vf all = add(lo, hi);
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
  _mm_storeu_ps(to, _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
}

// r[j][i] = r[i][j].
ATTNRT_INLINE void transpose16(__m512 (&r)[16]) {
  __m512 t[16];
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 4; ++i) {
    r[4 * i + 0] = _mm512_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    r[4 * i + 1] = _mm512_shuffle_ps(t[4 * i], t[4 * i + 2], 0xEE);
    r[4 * i + 2] = _mm512_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    r[4 * i + 3] = _mm512_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xEE);
  }
  // r[4 g + c] holds columns c, c + 4, c + 8, c + 12 (its four lanes) of rows 4 g … 4 g + 3.
  for (int c = 0; c < 4; ++c) {
    const __m512 low02 = _mm512_shuffle_f32x4(r[c], r[4 + c], 0x88);
    const __m512 low13 = _mm512_shuffle_f32x4(r[c], r[4 + c], 0xDD);
    const __m512 high02 = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0x88);
    const __m512 high13 = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0xDD);
    r[c] = _mm512_shuffle_f32x4(low02, high02, 0x88);
    r[c + 8] = _mm512_shuffle_f32x4(low02, high02, 0xDD);
    r[c + 4] = _mm512_shuffle_f32x4(low13, high13, 0x88);
    r[c + 12] = _mm512_shuffle_f32x4(low13, high13, 0xDD);
  }
}

// to[j * to_stride + i] = from[i * from_stride + j] for i, j < 16.
ATTNRT_INLINE void transpose(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  __m512 r[16];
  for (int i = 0; i < 16; ++i) r[i] = load(from + i * from_stride);
  transpose16(r);
  for (int i = 0; i < 16; ++i) store(to + i * to_stride, r[i]);
}

// x * 2^n for whole n in [-126, 128].
ATTNRT_INLINE Vf scale_by_power(Vf x, Vf n) {
  return _mm512_scalef_ps(x, n);
}
ATTNRT_INLINE Vf round_whole(Vf x) {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
