// Stored K and V as bf16, in the order that matrix products take (AVX-512 with VBMI).
//
// Interleaving works within 128-bit lanes, so a chunk of kUnpackChunk<F> values comes out permuted;
// key_place and value_place say how. K: 32 values a step, [step][32]. V: pairs of keys side by
// side, 16 columns a panel, [panel][key / 2][column][key % 2].
#pragma once

#include <immintrin.h>

#include "kernels/cpu/codes_avx512.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// Which value of the head stands at place i of step s of a key.
template <Format F>
constexpr int key_place(int s, int i) {
  constexpr int kSteps = kUnpackChunk<F> / 32;
  return kUnpackChunk<F> * (s / kSteps) + kUnpackChunk<F> / 4 * (i / 8) + 8 * (s % kSteps) + i % 8;
}

// Which value of the head stands in column c of panel n.
template <Format F>
constexpr int value_place(int n, int c) {
  constexpr int kPanels = kUnpackChunk<F> / 16;
  return kUnpackChunk<F> * (n / kPanels) + kUnpackChunk<F> / 4 * (c / 4) + 4 * (n % kPanels) +
         c % 4;
}

// Column c of panel n, to its place in a row of `width`: four columns are neighbours there, too.
template <Format F>
ATTNRT_INLINE void store_columns(int n, Vf x, int64_t width, float* row) {
  const auto put = [&](int column, __m128 four) {
    const int place = value_place<F>(n, column);
    if (place < width) _mm_storeu_ps(row + place, four);
  };
  put(0, _mm512_castps512_ps128(x));
  put(4, _mm512_extractf32x4_ps(x, 1));
  put(8, _mm512_extractf32x4_ps(x, 2));
  put(12, _mm512_extractf32x4_ps(x, 3));
}

// A key's row, padded with zeros to whole chunks.
template <Format F>
inline void unpack_key(const uint8_t* row, int dim, uint16_t* to) {
  constexpr int kChunkOf = kUnpackChunk<F>;
  for (int i = 0; i < dim; i += kChunkOf) {
    const __m512i codes = load_codes<F>(row + i * element_bytes(F), dim - i);
    if constexpr (F == Format::kBf16) {
      _mm512_store_si512(to + i, codes);
    } else {
      __m512i high;
      __m512i low;
      decode_codes<F>(codes, high, low);
      _mm512_store_si512(to + i, _mm512_unpacklo_epi8(low, high));
      _mm512_store_si512(to + i + 32, _mm512_unpackhi_epi8(low, high));
    }
  }
}

// 64 bytes of the rows of two keys, codes or bf16, to pairs of bf16; 16 columns a vector, in the
// order of value_place.
template <Format F>
ATTNRT_INLINE void decode_value_pair(__m512i a, __m512i b, __m512i (&x)[kUnpackChunk<F> / 16]) {
  if constexpr (F == Format::kBf16) {
    x[0] = _mm512_unpacklo_epi16(a, b);
    x[1] = _mm512_unpackhi_epi16(a, b);
  } else {
    __m512i high;
    __m512i low;
    decode_codes<F>(_mm512_unpacklo_epi8(a, b), high, low);
    x[0] = _mm512_unpacklo_epi8(low, high);
    x[1] = _mm512_unpackhi_epi8(low, high);
    decode_codes<F>(_mm512_unpackhi_epi8(a, b), high, low);
    x[2] = _mm512_unpacklo_epi8(low, high);
    x[3] = _mm512_unpackhi_epi8(low, high);
  }
}

// Two keys' rows; `to` is their place in panel 0, panels stand `stride` values apart.
template <Format F>
inline void unpack_value_pair(const uint8_t* first, const uint8_t* second, int dim, uint16_t* to,
                              int64_t stride) {
  constexpr int kChunkOf = kUnpackChunk<F>;
  for (int i = 0; i < dim; i += kChunkOf) {
    const __m512i a = load_codes<F>(first + i * element_bytes(F), dim - i);
    const __m512i b = second == nullptr ? _mm512_setzero_si512()
                                        : load_codes<F>(second + i * element_bytes(F), dim - i);
    __m512i x[kChunkOf / 16];
    decode_value_pair<F>(a, b, x);
    for (int c = 0; c < kChunkOf / 16; ++c) _mm512_store_si512(to + (i / 16 + c) * stride, x[c]);
  }
}

// Weights to bf16, 32 at a time: the first 16 significant bits cut off, and what is left, rounded.
// Together they hold 16 bits of each weight.
ATTNRT_INLINE void split_weights(Vf a, Vf b, __m512i& high, __m512i& rest) {
  const Vi top = splat_i(static_cast<int32_t>(0xFFFF0000));
  const Vf a_high = floats(and_i(bits(a), top));
  const Vf b_high = floats(and_i(bits(b), top));
  high = (__m512i)_mm512_cvtne2ps_pbh(b_high, a_high);
  rest = (__m512i)_mm512_cvtne2ps_pbh(sub(b, b_high), sub(a, a_high));
}

ATTNRT_INLINE __m512i round_weights(Vf a, Vf b) {
  return (__m512i)_mm512_cvtne2ps_pbh(b, a);
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
