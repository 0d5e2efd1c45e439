// Products of many rows by dot products of bf16 pairs (AVX512-BF16), f32 sums: the counterpart of
// tile.hpp's multiply where q is bf16 and K and V are exact in bf16.
//
// Panels: 16 columns of a matrix, a pair of bf16 for each, [depth / 2][16]. K's columns are keys
// (transposed while they are packed), V's are the head's values, in the order of value_place.
#pragma once

#include "kernels/cpu/unpack_avx512.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

constexpr int kPanel = 16;     // columns
constexpr int kDotRows = 8;    // 8 rows x 2 panels of sums
constexpr int kDotStep = 32;   // bf16 values of a vector
constexpr int kCodeStep = 64;  // 8-bit codes of a vector

// 16 keys x 64 codes, already transposed to 4 codes a key: two panel rows of pairs.
template <Format F>
ATTNRT_INLINE void store_code_pairs(__m512i codes, uint32_t* to) {
  // Of each key in a lane, codes 0 and 1 first, codes 2 and 3 behind: then unpacking makes pairs.
  const __m512i by_pairs =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
  __m512i high;
  __m512i low;
  decode_codes<F>(_mm512_shuffle_epi8(codes, by_pairs), high, low);
  _mm512_store_si512(to, _mm512_unpacklo_epi8(low, high));
  _mm512_store_si512(to + kPanel, _mm512_unpackhi_epi8(low, high));
}

// Keys [t, t + 16) to a panel. Those behind the tile's last become zeros.
template <Format F>
inline void pack_key_panel(const HeadKeys& keys, int t, int dim, uint32_t* to) {
  constexpr int kStep = F == Format::kBf16 ? kDotStep : kCodeStep;
  for (int i = 0; i < dim; i += kStep) {
    __m512 r[kPanel];
    for (int j = 0; j < kPanel; ++j) {
      r[j] = zero();
      if (t + j < keys.n) {
        const uint8_t* row = row_of(keys, t + j) + i * element_bytes(F);
        r[j] = floats(load_codes<F>(row, dim - i));
      }
    }
    transpose16(r);
    for (int j = 0; j < kPanel; ++j) {
      if constexpr (F == Format::kBf16) {
        _mm512_store_si512(to + (i / 2 + j) * kPanel, bits(r[j]));
      } else {
        store_code_pairs<F>(bits(r[j]), to + (i / 2 + 2 * j) * kPanel);
      }
    }
  }
}

// c[r] = (kAccumulate ? alpha[r] * c[r] : 0) + a[r] x two panels, for R rows; a stands in pairs.
// Told to unroll, GCC 12 keeps sums in registers also before and after the loop; else it clears and
// copies them in memory.
template <int R, bool kAccumulate>
ATTNRT_INLINE void multiply_pairs(const uint32_t* a, int64_t a_stride, const uint32_t* panel,
                                  int64_t panel_stride, int depth, const float* alpha, float* c,
                                  int64_t c_stride) {
  Vf low[R];
  Vf high[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    if constexpr (kAccumulate) {
      low[r] = mul(load(c + r * c_stride), splat(alpha[r]));
      high[r] = mul(load(c + r * c_stride + kPanel), splat(alpha[r]));
    } else {
      low[r] = zero();
      high[r] = zero();
    }
  }
  for (int d = 0; d < depth; ++d) {
    const auto x = (__m512bh)_mm512_load_si512(panel + d * kPanel);
    const auto y = (__m512bh)_mm512_load_si512(panel + panel_stride + d * kPanel);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto pair = (__m512bh)_mm512_set1_epi32(static_cast<int32_t>(a[r * a_stride + d]));
      low[r] = _mm512_dpbf16_ps(low[r], pair, x);
      high[r] = _mm512_dpbf16_ps(high[r], pair, y);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    store(c + r * c_stride, low[r]);
    store(c + r * c_stride + kPanel, high[r]);
  }
}

// All rows against an even number of panels.
template <bool kAccumulate>
inline void multiply_panels(const uint32_t* a, int64_t a_stride, const uint32_t* panels,
                            int64_t panel_stride, int count, int depth, int rows,
                            const float* alpha, float* c, int64_t c_stride) {
  for (int n = 0; n < count; n += 2) {
    const uint32_t* panel = panels + n * panel_stride;
    const auto block = [&]<int R>(int r) {
      multiply_pairs<R, kAccumulate>(a + r * a_stride, a_stride, panel, panel_stride, depth,
                                     alpha + r, c + r * c_stride + n * kPanel, c_stride);
    };
    int r = 0;
    for (; r + kDotRows <= rows; r += kDotRows) block.template operator()<kDotRows>(r);
    for (; r + 4 <= rows; r += 4) block.template operator()<4>(r);
    for (; r + 2 <= rows; r += 2) block.template operator()<2>(r);
    for (; r < rows; ++r) block.template operator()<1>(r);
  }
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
