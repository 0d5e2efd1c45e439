// Attention of few query rows over codes of 8 and 4 bits by dot products of bf16 pairs (AVX512-BF16
// with VBMI): codes become bf16 in registers, V's of two keys side by side. int4's K alone is
// multiplied in whole numbers (int4_scores.hpp).
//
// Weights are rounded to bf16, as those of many rows are (attend_dots.hpp); so is their product
// with a block's scale. Sums that are not finite send the item back to the f32 path, since a weight
// of 0 does not make a NaN 0.
#pragma once

#include "kernels/cpu/int4_scores.hpp"
#include "kernels/cpu/nibbles_avx512.hpp"
#include "kernels/cpu/unpack_avx512.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

constexpr bool has_nibbles(Format f) {
  return has_block_scales(f) || is_rotated(f);
}
// Formats that this path is for. 16 bits are bound by memory, and keep weights of f32.
constexpr bool has_few_rows(Format f) {
  return has_nibbles(f) || (!is_staged(f) && element_bytes(f) == 1);
}

// At most so many query rows a head: few enough to read pages directly.
constexpr int kFewRows = 8;
// Keys of V that are added before the next head's turn.
constexpr int kFewValueKeys = 8;

// A thread's buffers beside those of attend.hpp, by row.
struct FewBuffers {
  uint8_t* q;            // nvfp4: bf16, as decode_e2m1 orders them; int4: see int4_scores.hpp
  WholeQuery* whole;     // int4
  uint32_t* weights;     // [kTile / 2] pairs
  float* out;            // [out_stride]
  float* k_scales;       // row scales, [head][kTile]
  int32_t* zero_points;  // int4: of V, for the keys that are being added
  int64_t q_stride;      // bytes
  int64_t out_stride;
};

inline void cut_few(const LayerParams& layer, Scratch& scratch, FewBuffers& b) {
  b.q_stride = 2 * round_up(layer.dim_qk, kNibbleChunk);
  b.out_stride = round_up(layer.dim_v, kNibbleChunk);
  b.q = scratch.take<uint8_t>(kMaxRows * b.q_stride);
  b.whole = scratch.take<WholeQuery>(kMaxRows);
  b.weights = scratch.take<uint32_t>(int64_t{kMaxRows} * kTile / 2);
  b.out = scratch.take(kMaxRows * b.out_stride);
  b.k_scales = scratch.take(int64_t{kMaxRows} * kTile);
  b.zero_points = scratch.take<int32_t>(kFewValueKeys);
}

// n values of a row of q, bf16, as decode_e2m1 orders those of K.
inline void order_query(const uint8_t* row, int n, uint8_t* to) {
  alignas(64) uint16_t chunk[kNibbleChunk];
  for (int i = 0; i < n; i += kNibbleChunk) {
    const int count = n - i < kNibbleChunk ? n - i : kNibbleChunk;
    memset(chunk, 0, sizeof chunk);
    memcpy(chunk, row + 2 * i, static_cast<size_t>(count) * 2);
    order_for_nibbles(chunk, to + 2 * i);
  }
}

// Returns false where a value is not finite (attend_int4.hpp).
inline bool load_whole_queries(const AttendParams& p, const QueryRows& q, int rows, FewBuffers& few,
                               float* line) {
  const int dim = p.layer.dim_qk;
  Vf all = zero();
  for (int r = 0; r < rows; ++r) {
    widen_row(p.q.dtype, query_row(p, q, r), dim, line);
    for (int i = 0; i < dim; i += kW) all = fma(load(line + i), zero(), all);
    rotate_query(line, dim);
    few.whole[r] = quantize_query(line, dim, reinterpret_cast<int8_t*>(few.q + r * few.q_stride));
  }
  return count(unordered(all)) == 0;
}

// The same for any format.
template <Format F>
inline bool load_few_queries(const AttendParams& p, const QueryRows& q, int rows, FewBuffers& few,
                             Buffers& b) {
  if constexpr (is_rotated(F)) {
    return load_whole_queries(p, q, rows, few, b.line);
  } else if constexpr (has_block_scales(F)) {
    for (int r = 0; r < rows; ++r) {
      order_query(query_row(p, q, r), p.layer.dim_qk, few.q + r * few.q_stride);
    }
  } else {
    load_queries<F>(p, q, rows, b);
  }
  return true;
}

// Raw scores of R rows against 4 keys of nvfp4.
template <int R>
ATTNRT_INLINE void score4_blocks(const uint8_t* q, int64_t q_stride, const HeadKeys& k, int key,
                                 int dim, float* s) {
  Vf sums[R][4];
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < 4; ++j) sums[r][j] = zero();
  }
  for (int i = 0; i < dim; i += kNibbleChunk) {
    const int left = dim - i < kNibbleChunk ? dim - i : kNibbleChunk;
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      __m512bh y[kNibbleVectors];
      decode_e2m1(load_nibbles(row_of(k, key + j) + i / 2, left), y);
      const Vf scale =
          load_block_scales(scales_of(k, key + j) + i / kNvfp4Block, left / kNvfp4Block);
      for (int r = 0; r < R; ++r) {
        const uint8_t* x = q + r * q_stride + 2 * i;
        Vf sum = zero();
        for (int v = 0; v < kNibbleVectors; ++v) {
          sum = _mm512_dpbf16_ps(sum, (__m512bh)_mm512_load_si512(x + 64 * v), y[v]);
        }
        sums[r][j] = fma(sum, scale, sums[r][j]);
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    store_sums4(s + r * kTile, sums[r][0], sums[r][1], sums[r][2], sums[r][3]);
  }
}

// int4: products with codes, which finish_whole_scores makes scores.
template <Format F>
ATTNRT_INLINE void score_four_codes(const HeadTile& t, int key, const FewBuffers& few, Buffers& b) {
  const int dim = t.p.layer.dim_qk;
  const auto block = [&]<int R>(int r) __attribute__((always_inline)) {
    const int row = t.first + r;
    const uint8_t* q = few.q + row * few.q_stride;
    float* s = b.scores + row * kTile + key;
    if constexpr (is_rotated(F)) {
      score4_whole<R>(reinterpret_cast<const int8_t*>(q), few.q_stride, t.k, key, dim,
                      reinterpret_cast<int32_t*>(s));
    } else {
      score4_blocks<R>(q, few.q_stride, t.k, key, dim, s);
    }
  };
  if constexpr (has_nibbles(F)) {
    by_row_blocks(t.rows, block);
  } else {
    score_four_keys<F>(t, key, b);
  }
}

// Four keys' scales while their rows are at hand: those of a whole tile would be asked of memory
// twice.
inline void note_key_scales(const HeadTile& t, int key, FewBuffers& few) {
  float* to = few.k_scales + t.head * kTile + key;
  for (int j = 0; j < 4; ++j) to[j] = load_scale(scales_of(t.k, key + j));
}

// Sums so far are brought to the new maxima.
inline void rescale_few(const HeadTile& t, FewBuffers& few, const Buffers& b) {
  for (int r = t.first; r < t.first + t.rows; ++r) {
    const float alpha = b.state.alpha[r];
    if (alpha == 1.0F) continue;
    float* out = few.out + r * few.out_stride;
    for (int i = 0; i < few.out_stride; i += kW) store(out + i, mul(load(out + i), splat(alpha)));
  }
}

// Weights of a head's rows as bf16.
inline void round_rows(const HeadTile& t, FewBuffers& few, const Buffers& b) {
  for (int r = t.first; r < t.first + t.rows; ++r) {
    const float* from = b.scores + r * kTile;
    uint32_t* to = few.weights + r * (kTile / 2);
    for (int i = 0; i < t.v.n; i += 2 * kW) {
      const Vf high = i + kW < t.v.n ? load(from + i + kW) : zero();
      _mm512_store_si512(to + i / 2, round_weights(load(from + i), high));
    }
  }
}

// Weights of n keys of V times the scales of their rows, as bf16.
template <Format F>
inline void scale_weights(const HeadTile& t, int key, int n, FewBuffers& few, const Buffers& b) {
  alignas(32) float line[kFewValueKeys] = {};
  for (int j = 0; j < n; ++j) line[j] = load_scale(scales_of(t.v, key + j));
  __m256 scales = _mm256_load_ps(line);
  if constexpr (is_rotated(F)) {
    const __m256i all = _mm256_castps_si256(scales);
    const __m256i zero_points = _mm256_and_si256(all, _mm256_set1_epi32(0xF));
    scales = _mm256_castsi256_ps(_mm256_xor_si256(all, zero_points));
    _mm256_store_si256(reinterpret_cast<__m256i*>(few.zero_points), zero_points);
  }
  for (int r = t.first; r < t.first + t.rows; ++r) {
    const __m256 weights = _mm256_mul_ps(_mm256_load_ps(b.scores + r * kTile + key), scales);
    const auto rounded = (__m128i)_mm256_cvtneps_pbh(weights);
    _mm_store_si128(reinterpret_cast<__m128i*>(few.weights + r * (kTile / 2) + key / 2), rounded);
  }
}

// Where a head's sums and weights stand from a row on; those of the next are a stride behind.
struct FewSums {
  const float* scores;      // weights in f32, [kTile]
  const uint32_t* weights;  // pairs, [kTile / 2]
  const int32_t* zero_points;
  float* out;
  int64_t out_stride;
};

template <int R>
ATTNRT_INLINE void load_sums(const float* out, int64_t stride, Vf (&sums)[R][4]) {
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < 4; ++c) sums[r][c] = load(out + r * stride + c * kW);
  }
}
template <int R>
ATTNRT_INLINE void store_sums(const Vf (&sums)[R][4], float* out, int64_t stride) {
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < 4; ++c) store(out + r * stride + c * kW, sums[r][c]);
  }
}

// Weighted codes of 8 bits, keys [0, v.n).
template <Format F, int R>
ATTNRT_INLINE void add_bytes(const HeadKeys& v, int dim, const FewSums& to) {
  for (int i = 0; i < dim; i += kUnpackChunk<F>) {
    Vf sums[R][4];
    load_sums<R>(to.out + i, to.out_stride, sums);
    for (int t = 0; t < v.n; t += 2) {
      __m512i x[4];
      decode_value_pair<F>(load_codes<F>(row_of(v, t) + i, dim - i),
                           load_codes<F>(row_of(v, second_key(v, t)) + i, dim - i), x);
      for (int r = 0; r < R; ++r) {
        const uint32_t pair = to.weights[r * (kTile / 2) + t / 2];
        const auto w = (__m512bh)_mm512_set1_epi32(static_cast<int32_t>(pair));
        for (int c = 0; c < 4; ++c) sums[r][c] = _mm512_dpbf16_ps(sums[r][c], w, (__m512bh)x[c]);
      }
    }
    store_sums<R>(sums, to.out + i, to.out_stride);
  }
}

// Weights by row and pair of keys as either half of a chunk takes them.
template <int R>
struct BlockWeights {
  __m512bh at[2][kFewValueKeys / 2][R];
};

// nvfp4: weights times the scales of blocks.
template <Format F, int R>
ATTNRT_INLINE void weigh_blocks(const AttendParams& p, const HeadKeys& v, int32_t begin, int i,
                                const FewSums& to, BlockWeights<R>& weights) {
  const int dim = p.layer.dim_v;
  const int left = dim - i < kNibbleChunk ? dim - i : kNibbleChunk;
  uint8_t gathered[2][kMaxDim / kNvfp4Block];
  const auto scales_at = [&](int t, int which) {
    const uint8_t* scales = scales_of(v, t);
    if constexpr (F == Format::kNvfp4Swizzled) {
      gather_swizzled(scales, p.v.scale_token_stride, (begin + t) % 4, dim, gathered[which]);
      scales = gathered[which];
    }
    return scales + i / kNvfp4Block;
  };
  // 32-bit lane d of a half: block 2 (d / 4) + half.
  const __m512i first = _mm512_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6);
  const __m512i second = _mm512_add_epi32(first, splat_i(1));
  for (int t = 0; t < v.n; t += 2) {
    const Vf scales =
        mul(splat(256.0F), load_block_scale_pairs(scales_at(t, 0), scales_at(second_key(v, t), 1),
                                                  left / kNvfp4Block));
    for (int r = 0; r < R; ++r) {
      double pair;
      memcpy(&pair, to.scores + r * kTile + t, sizeof pair);
      const Vf w = mul(scales, _mm512_castpd_ps(_mm512_set1_pd(pair)));
      const __m512i by_block = _mm512_castsi256_si512((__m256i)_mm512_cvtneps_pbh(w));
      weights.at[0][t / 2][r] = (__m512bh)_mm512_permutexvar_epi32(first, by_block);
      weights.at[1][t / 2][r] = (__m512bh)_mm512_permutexvar_epi32(second, by_block);
    }
  }
}

// Half a chunk of weighted codes of 4 bits.
template <Format F, int R, int kHalf>
ATTNRT_INLINE void add_half_nibbles(const HeadKeys& v, int dim, int i, const FewSums& to,
                                    const BlockWeights<R>& weights) {
  float* out = to.out + i + kHalf * (kNibbleChunk / 2);
  Vf sums[R][4];
  load_sums<R>(out, to.out_stride, sums);
  for (int t = 0; t < v.n; t += 2) {
    __m512i table;
    if constexpr (is_rotated(F)) {
      table = int4_tables(to.zero_points[t], to.zero_points[t + 1]);
    } else {
      table = e2m1_table();
    }
    __m512bh x[kNibbleVectors];
    decode_nibble_pairs<F, kHalf>(load_nibbles(row_of(v, t) + i / 2, dim - i),
                                  load_nibbles(row_of(v, second_key(v, t)) + i / 2, dim - i), table,
                                  x);
    for (int r = 0; r < R; ++r) {
      __m512bh w;
      if constexpr (has_block_scales(F)) {
        w = weights.at[kHalf][t / 2][r];
      } else {
        const uint32_t pair = to.weights[r * (kTile / 2) + t / 2];
        w = (__m512bh)_mm512_set1_epi32(static_cast<int32_t>(pair));
      }
      for (int c = 0; c < 4; ++c) sums[r][c] = _mm512_dpbf16_ps(sums[r][c], w, x[c]);
    }
  }
  store_sums<R>(sums, out, to.out_stride);
}

template <Format F, int R>
ATTNRT_INLINE void add_nibbles(const AttendParams& p, const HeadKeys& v, int32_t begin,
                               const FewSums& to) {
  const int dim = p.layer.dim_v;
  for (int i = 0; i < dim; i += kNibbleChunk) {
    BlockWeights<R> weights;
    if constexpr (has_block_scales(F)) weigh_blocks<F, R>(p, v, begin, i, to, weights);
    add_half_nibbles<F, R, 0>(v, dim, i, to, weights);
    add_half_nibbles<F, R, 1>(v, dim, i, to, weights);
  }
}

// Keys [key, key + n) of a head.
template <Format F>
ATTNRT_INLINE void add_some_codes(const HeadTile& t, int key, int n, const FewBuffers& few,
                                  const Buffers& b) {
  HeadKeys v = t.v;
  v.rows += key;
  v.scales += key;
  v.n = n;
  by_row_blocks(
      t.rows, [&]<int R>(int r) __attribute__((always_inline)) {
        const int row = t.first + r;
        const FewSums to{b.scores + row * kTile + key, few.weights + row * (kTile / 2) + key / 2,
                         few.zero_points, few.out + row * few.out_stride, few.out_stride};
        if constexpr (has_nibbles(F)) {
          add_nibbles<F, R>(t.p, v, t.begin + key, to);
        } else {
          add_bytes<F, R>(v, t.p.layer.dim_v, to);
        }
      });
}

template <Format F>
inline void weigh_few(const HeadTile& t, FewBuffers& few, Buffers& b) {
  float* scales = has_row_scales(F) ? few.k_scales + t.head * kTile : nullptr;
  if constexpr (has_row_scales(F)) {
    for (int i = t.k.n; i < kTile; ++i) scales[i] = 1.0F;
  }
  if constexpr (is_rotated(F)) {
    alignas(64) float zero_points[kTile];
    take_zero_points(scales, zero_points);
    for (int r = t.first; r < t.first + t.rows; ++r) {
      finish_whole_scores(few.whole[r], zero_points, t.k.n, b.scores + r * kTile);
    }
  }
  // load_block_scales has divided by 256.
  weigh(t, scales, nullptr, has_block_scales(F) ? 256.0F : value_factor(F), b);
  rescale_few(t, few, b);
  if constexpr (!has_row_scales(F) && !has_block_scales(F)) round_rows(t, few, b);
}

template <Format F>
inline void attend_few_tile(const AttendParams& p, const QueryRows& q, int32_t begin,
                            const KeyRows& keys, Prefetcher& ahead, FewBuffers& few, Buffers& b) {
  const auto tile_of = [&](int h) { return head_tile(p, q, begin, h, keys); };
  const int k_bytes = row_bytes(F, p.layer.dim_qk);
  const int v_bytes = row_bytes(F, p.layer.dim_v);
  // Not through in_turns: of its body GCC 12 keeps more tables on the stack.
  for (int key = 0; key < keys.n; key += 4) {
    for (int h = 0; h < q.kv_heads; ++h) {
      ahead.use(4 * k_bytes);
      const HeadTile t = tile_of(h);
      if constexpr (has_row_scales(F)) note_key_scales(t, key, few);
      score_four_codes<F>(t, key, few, b);
    }
  }
  for (int h = 0; h < q.kv_heads; ++h) weigh_few<F>(tile_of(h), few, b);
  for (int key = 0; key < keys.n; key += kFewValueKeys) {
    const int n = keys.n - key < kFewValueKeys ? keys.n - key : kFewValueKeys;
    for (int h = 0; h < q.kv_heads; ++h) {
      ahead.use(n * v_bytes);
      const HeadTile t = tile_of(h);
      if constexpr (has_row_scales(F)) scale_weights<F>(t, key, n, few, b);
      add_some_codes<F>(t, key, n, few, b);
    }
  }
}

// Sums of a row in order, to `to`, up to whole vectors. Returns 0 where all are finite, else NaN.
template <Format F>
inline Vf restore_few(const float* sums, int dim, int64_t width, float* to) {
  Vf all = zero();
  for (int i = 0; i < round_up(dim, has_nibbles(F) ? kNibbleChunk : 4 * kW); i += 4 * kW) {
    Vf x[4];
    for (int c = 0; c < 4; ++c) {
      x[c] = load(sums + i + c * kW);
      all = fma(x[c], zero(), all);
    }
    if constexpr (has_nibbles(F)) {
      restore_columns(x);
      const int first = i / kNibbleChunk * kNibbleChunk + i % kNibbleChunk / 4;
      for (int c = 0; c < 4; ++c) {
        if (first + 32 * c < dim) store(to + first + 32 * c, x[c]);
      }
    } else {
      for (int c = 0; c < 4; ++c) store_columns<F>(i / kW + c, x[c], width, to);
    }
  }
  return all;
}

// Everything of an item up to its sums, in order, and row states. Returns false where the f32 path
// is wanted.
template <Format F>
inline bool attend_few_rows(const AttendParams& p, const WorkItem& item, FewBuffers& few,
                            Buffers& b) {
  const QueryRows& q = item.rows;
  const int rows = rows_of(p, q);
  if (!load_few_queries<F>(p, q, rows, few, b)) return false;
  memset(few.out, 0, static_cast<size_t>(rows * few.out_stride) * sizeof(float));
  for_tiles<F>(p, item, [&](int32_t begin, const KeyRows& keys, Prefetcher& ahead) {
    attend_few_tile<F>(p, q, begin, keys, ahead, few, b);
  });
  Vf all = zero();
  for (int r = 0; r < rows; ++r) {
    all = add(all, restore_few<F>(few.out + r * few.out_stride, p.layer.dim_v, b.out_stride,
                                  b.out + r * b.out_stride));
  }
  return count(unordered(all)) == 0;
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
