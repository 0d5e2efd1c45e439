// Scores of few query rows against int4's keys, in whole numbers (AVX-512 with VNNI).
//
// A rotated q becomes numbers of 16 bits with a scale for its row, each in two bytes: codes of four
// bits multiply both without a conversion, sums are exact, and so is the zero point's part of them.
// What is lost is at most max |q| / (2 kLargestWhole) of each value (docs/accuracy.md).
#pragma once

#include "kernels/cpu/nibbles_avx512.hpp"
#include "kernels/cpu/whole_query.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// A row's numbers: [kNibbleChunk values][upper, lower bytes][even, odd values][64].
constexpr int kWholeChunk = 2 * kNibbleChunk;

// 16 bytes to those of even and of odd values.
ATTNRT_INLINE void store_even_odd(__m128i bytes, int8_t* to) {
  const __m128i sorted =
      _mm_shuffle_epi8(bytes, _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), sorted);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to + kNibbleChunk / 2),
                   _mm_unpackhi_epi64(sorted, sorted));
}

// n finite values, a multiple of 16.
inline WholeQuery quantize_query(const float* line, int n, int8_t* to) {
  Vf top = zero();
  for (int i = 0; i < n; i += kW) top = max(_mm512_abs_ps(load(line + i)), top);
  const float scale = largest(top) / kLargestWhole;
  const Vf divisor = splat(scale >= FLT_MIN ? scale : 1.0F);
  __m512i sum = _mm512_setzero_si512();
  memset(to, 0, static_cast<size_t>((n + kNibbleChunk - 1) / kNibbleChunk * kWholeChunk));
  for (int i = 0; i < n; i += kW) {
    const __m512i x = _mm512_cvtps_epi32(div(load(line + i), divisor));
    const __m512i upper = _mm512_srai_epi32(_mm512_add_epi32(x, splat_i(128)), 8);
    int8_t* at = to + i / kNibbleChunk * kWholeChunk + i % kNibbleChunk / 2;
    store_even_odd(_mm512_cvtepi32_epi8(upper), at);
    store_even_odd(_mm512_cvtepi32_epi8(x), at + kNibbleChunk);
    sum = _mm512_add_epi32(sum, x);
  }
  return {scale, _mm512_reduce_add_epi32(sum)};
}

// Sums of four vectors' lanes.
ATTNRT_INLINE void store_whole_sums4(int32_t* to, const __m512i (&x)[4]) {
  const auto add_i32 = [](__m512i a, __m512i b) { return _mm512_add_epi32(a, b); };
  const __m512i ab = add_i32(_mm512_unpacklo_epi32(x[0], x[1]), _mm512_unpackhi_epi32(x[0], x[1]));
  const __m512i cd = add_i32(_mm512_unpacklo_epi32(x[2], x[3]), _mm512_unpackhi_epi32(x[2], x[3]));
  const __m512i all = add_i32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  const __m256i half =
      _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)));
}

// Products of R rows with the codes of 4 keys: at most 512 * kLargestWhole * 15, below 2^28.
template <int R>
ATTNRT_INLINE void score4_whole(const int8_t* q, int64_t q_stride, const HeadKeys& k, int key,
                                int dim, int32_t* s) {
  const __m512i low = _mm512_set1_epi8(0xF);
  __m512i sums[R][4];
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < 4; ++j) sums[r][j] = _mm512_setzero_si512();
  }
  for (int i = 0; i < dim; i += kNibbleChunk, q += kWholeChunk) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const __m512i codes = load_nibbles(row_of(k, key + j) + i / 2, dim - i);
      const __m512i even = _mm512_and_si512(codes, low);
      const __m512i odd = _mm512_and_si512(_mm512_srli_epi16(codes, 4), low);
      const auto multiply = [&](__m512i sum, const int8_t* x) __attribute__((always_inline)) {
        sum = _mm512_dpbusd_epi32(sum, even, _mm512_load_si512(x));
        return _mm512_dpbusd_epi32(sum, odd, _mm512_load_si512(x + kNibbleChunk / 2));
      };
      for (int r = 0; r < R; ++r) {
        const int8_t* x = q + r * q_stride;
        const __m512i upper = multiply(_mm512_setzero_si512(), x);
        sums[r][j] =
            multiply(_mm512_add_epi32(sums[r][j], _mm512_slli_epi32(upper, 8)), x + kNibbleChunk);
      }
    }
  }
  for (int r = 0; r < R; ++r) store_whole_sums4(s + r * kTile, sums[r]);
}

// A row's products with n keys' codes, in place, to raw scores: less the zero points', times q's
// scale.
inline void finish_whole_scores(const WholeQuery& q, const float* zero_points, int n, float* s) {
  const __m512i sum = splat_i(q.sum);
  for (int i = 0; i < n; i += kW) {
    const __m512i part = _mm512_mullo_epi32(sum, _mm512_cvtps_epi32(load(zero_points + i)));
    store(s + i, mul(to_float(_mm512_sub_epi32(_mm512_load_si512(s + i), part)), splat(q.scale)));
  }
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
