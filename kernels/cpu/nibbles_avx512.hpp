// Codes of four bits to bf16 in registers (AVX-512 with VBMI): exact.
//
// A shift that picks bits of each 64-bit lane spreads nibbles over 16-bit lanes, and one
// permutation of a table makes them bf16: two instructions for 32 values. The permutation looks at
// five bits, of which the upper one belongs to a neighbour: e2m1's table holds its 16 values twice;
// int4's looks there for the second of two keys, whose zero points differ.
#pragma once

#include <immintrin.h>

#include "kernels/cpu/bf16_tables.hpp"
#include "kernels/cpu/simd_avx512.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

constexpr int kNibbleChunk = 128;  // codes of a vector
constexpr int kNibbleVectors = 4;  // that a row's vector becomes

constexpr uint16_t whole_value(int x) {
  return static_cast<uint16_t>((x < 0 ? 0x8000 : 0) | bf16_of(x < 0 ? -x : x, 0));
}

constexpr uint16_t e2m1_value(int code) {
  constexpr int kHalves[8] = {0, 1, 2, 3, 4, 6, 8, 12};  // magnitudes times two
  return static_cast<uint16_t>((code >= 8 ? 0x8000 : 0) | bf16_of(kHalves[code & 7], -1));
}

struct E2m1Table {
  alignas(64) uint16_t at[32];
};
constexpr E2m1Table make_e2m1_table() {
  E2m1Table t{};
  for (int i = 0; i < 32; ++i) t.at[i] = e2m1_value(i & 15);
  return t;
}
constexpr E2m1Table kE2m1Table = make_e2m1_table();

// int4: codes less each zero point.
struct Int4Tables {
  alignas(64) uint16_t at[16][16];
};
constexpr Int4Tables make_int4_tables() {
  Int4Tables t{};
  for (int zero_point = 0; zero_point < 16; ++zero_point) {
    for (int code = 0; code < 16; ++code) t.at[zero_point][code] = whole_value(code - zero_point);
  }
  return t;
}
constexpr Int4Tables kInt4Tables = make_int4_tables();

// Those of two keys, the second one's behind the first one's.
ATTNRT_INLINE __m512i int4_tables(int first, int second) {
  const auto at = [](int i) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(kInt4Tables.at[i]));
  };
  return _mm512_inserti64x4(_mm512_castsi256_si512(at(first)), at(second), 1);
}

// `left` codes of a row, 0 behind them.
ATTNRT_INLINE __m512i load_nibbles(const uint8_t* row, int left) {
  if (left >= kNibbleChunk) return _mm512_loadu_si512(row);
  return _mm512_maskz_loadu_epi8((1ULL << left / 2) - 1ULL, row);
}

// Bits `at`, at + 4, … of each 64-bit lane at the bottom of its four 16-bit lanes.
ATTNRT_INLINE __m512i pick_bits(__m512i codes, int a, int b, int c, int d) {
  const int64_t places = a | int64_t{b} << 16 | int64_t{c} << 32 | int64_t{d} << 48;
  return _mm512_multishift_epi64_epi8(_mm512_set1_epi64(places), codes);
}

ATTNRT_INLINE __m512i e2m1_table() {
  return _mm512_load_si512(kE2m1Table.at);
}

// 128 values of a row. 64-bit lane i of vector v holds values 16 i + 4 v … + 3: each vector has a
// part of every block of 16, in the same lanes.
ATTNRT_INLINE void decode_e2m1(__m512i codes, __m512bh (&to)[kNibbleVectors]) {
  for (int v = 0; v < kNibbleVectors; ++v) {
    const int at = 16 * v;
    const __m512i picked = pick_bits(codes, at, at + 4, at + 8, at + 12);
    to[v] = (__m512bh)_mm512_permutexvar_epi16(picked, e2m1_table());
  }
}

// bf16 values of a row (2 bytes each) in that order.
inline void order_for_nibbles(const uint16_t* from, uint8_t* to) {
  for (int v = 0; v < kNibbleVectors; ++v) {
    for (int i = 0; i < 8; ++i) memcpy(to + 64 * v + 8 * i, from + 16 * i + 4 * v, 8);
  }
}

// Half a chunk of two rows side by side, pairs of values of one column: 32-bit lane d of vector v
// holds column 32 (d / 4) + 16 half + 8 (d / 2 % 2) + 2 v + d % 2.
// `table`: e2m1_table() or int4_tables().
template <Format F, int kHalf>
ATTNRT_INLINE void decode_nibble_pairs(__m512i first, __m512i second, __m512i table,
                                       __m512bh (&to)[kNibbleVectors]) {
  const __m512i both =
      kHalf == 0 ? _mm512_unpacklo_epi8(first, second) : _mm512_unpackhi_epi8(first, second);
  for (int v = 0; v < kNibbleVectors; ++v) {
    const int at = 16 * v;
    __m512i picked = pick_bits(both, at, at + 8, at + 4, at + 12);
    if constexpr (is_rotated(F)) {
      // (picked & 15) | 16 for the second key.
      picked = _mm512_ternarylogic_epi32(picked, splat_i(0x000F000F), splat_i(0x00100000), 0xEA);
    }
    to[v] = (__m512bh)_mm512_permutexvar_epi16(picked, table);
  }
}

// Sums in the order of decode_nibble_pairs to four times 16 columns: vector i holds those from
// 32 i + 16 half on.
ATTNRT_INLINE void restore_columns(Vf (&x)[kNibbleVectors]) {
  const auto d = [&](int i) { return _mm512_castps_pd(x[i]); };
  const __m512 a = _mm512_castpd_ps(_mm512_unpacklo_pd(d(0), d(1)));  // 4-column parts 0 …
  const __m512 b = _mm512_castpd_ps(_mm512_unpacklo_pd(d(2), d(3)));  // … and 1 of each 16
  const __m512 c = _mm512_castpd_ps(_mm512_unpackhi_pd(d(0), d(1)));  // 2
  const __m512 e = _mm512_castpd_ps(_mm512_unpackhi_pd(d(2), d(3)));  // 3
  const __m512 ab01 = _mm512_shuffle_f32x4(a, b, 0x44);               // a0 a1 b0 b1
  const __m512 ab23 = _mm512_shuffle_f32x4(a, b, 0xEE);
  const __m512 ce01 = _mm512_shuffle_f32x4(c, e, 0x44);
  const __m512 ce23 = _mm512_shuffle_f32x4(c, e, 0xEE);
  x[0] = _mm512_shuffle_f32x4(ab01, ce01, 0x88);
  x[1] = _mm512_shuffle_f32x4(ab01, ce01, 0xDD);
  x[2] = _mm512_shuffle_f32x4(ab23, ce23, 0x88);
  x[3] = _mm512_shuffle_f32x4(ab23, ce23, 0xDD);
}

// e4m3 scales of up to 8 blocks, times 2^-8, each in two 32-bit lanes: of a row's vector, in those
// that hold the block (decode_e2m1).
ATTNRT_INLINE Vf load_block_scales(const uint8_t* scales, int blocks) {
  const auto mask = static_cast<__mmask16>((1U << blocks) - 1U);
  const __m128i codes = _mm_maskz_loadu_epi8(mask, scales);
  // Each code twice, in the upper halves of 16-bit lanes.
  const __m256i twice = _mm256_shuffle_epi8(
      _mm256_permute4x64_epi64(_mm256_castsi128_si256(codes), 0x00),
      _mm256_setr_epi8(-1, 0, -1, 0, -1, 1, -1, 1, -1, 2, -1, 2, -1, 3, -1, 3,  //
                       -1, 4, -1, 4, -1, 5, -1, 5, -1, 6, -1, 6, -1, 7, -1, 7));
  return _mm512_cvtph_ps(e4m3_to_f16(twice));
}

// The same of two rows: 32-bit lanes 2 i and 2 i + 1 hold the scales of block i in either.
ATTNRT_INLINE Vf load_block_scale_pairs(const uint8_t* first, const uint8_t* second, int blocks) {
  const auto mask = static_cast<__mmask16>((1U << blocks) - 1U);
  const __m128i both =
      _mm_unpacklo_epi8(_mm_maskz_loadu_epi8(mask, first), _mm_maskz_loadu_epi8(mask, second));
  return _mm512_cvtph_ps(e4m3_to_f16(_mm256_slli_epi16(_mm256_cvtepu8_epi16(both), 8)));
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
