// Few query rows over nvfp4 straight from the pages (AVX2): codes become f32 in registers, times
// their block's scale, and are multiplied as values of 16 bits are in stream.hpp.
//
// All is exact up to the products, as in staged rows (stage.hpp). Sums that are not finite send the
// item to those, since a weight of 0 does not make a NaN 0.
#pragma once

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

static_assert(kChunk == kNvfp4Block);
constexpr int kMaxBlocks = kMaxDim / kNvfp4Block;

// Scales of a row's blocks, for codes that are doubled.
inline void load_block_scales(const uint8_t* codes, int dim, float* to) {
  const int n = dim / kNvfp4Block;
  int i = 0;
  // load_e4m3 has divided by 256.
  for (; i + kW <= n; i += kW) store(to + i, mul(load_e4m3(codes + i), splat(128.0F)));
  for (; i < n; ++i) to[i] = 0.5F * kE4m3Values.at[codes[i]];
}

// A block in the order of bf16's pairs: even elements, odd ones.
ATTNRT_INLINE void load_block(const uint8_t* codes, const float* scale, Vf& even, Vf& odd) {
  const Vf factor = splat(*scale);
  load_doubled_e2m1(codes, even, odd);
  even = mul(even, factor);
  odd = mul(odd, factor);
}

// Raw scores of R rows against the keys [key, key + J).
template <int R, int J>
ATTNRT_INLINE void score_block_keys(const float* q, int64_t q_stride, const HeadKeys& k, int key,
                                    int dim, float* s) {
  float scales[J][kMaxBlocks];
  for (int j = 0; j < J; ++j) load_block_scales(scales_of(k, key + j), dim, scales[j]);
  Vf sums[R][J];
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < J; ++j) sums[r][j] = zero();
  }
  for (int i = 0; i < dim; i += kChunk) {
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j) {
      Vf even;
      Vf odd;
      load_block(row_of(k, key + j) + i / 2, scales[j] + i / kNvfp4Block, even, odd);
      for (int r = 0; r < R; ++r) {
        sums[r][j] = fma(even, load(q + r * q_stride + i), sums[r][j]);
        sums[r][j] = fma(odd, load(q + r * q_stride + i + kW), sums[r][j]);
      }
    }
  }
  store_scores<R, J>(sums, s);
}

// The same of a head's rows and four of its keys.
ATTNRT_INLINE void score_four_blocks(const HeadTile& t, int key, Buffers& b) {
  by_row_blocks(
      t.rows, [&]<int R>(int r) __attribute__((always_inline)) {
        constexpr int kKeys = R * 4 <= kStreamSums ? 4 : kStreamSums / R;
        const int row = t.first + r;
        for (int j = key; j < key + 4; j += kKeys) {
          score_block_keys<R, kKeys>(b.q + row * b.q_stride, b.q_stride, t.k, j, t.p.layer.dim_qk,
                                     b.scores + row * kTile + j);
        }
      });
}

// out[r] += weights times values of the keys [0, v.n).
template <int R>
ATTNRT_INLINE void add_blocks(const float* weights, const HeadKeys& v,
                              const float (*scales)[kMaxBlocks], int dim, float* out,
                              int64_t out_stride) {
  for (int i = 0; i < dim; i += kChunk) {
    Vf sums[R][2];
    for (int r = 0; r < R; ++r) {
      sums[r][0] = load(out + r * out_stride + i);
      sums[r][1] = load(out + r * out_stride + i + kW);
    }
    for (int t = 0; t < v.n; ++t) {
      Vf even;
      Vf odd;
      load_block(row_of(v, t) + i / 2, scales[t] + i / kNvfp4Block, even, odd);
      for (int r = 0; r < R; ++r) {
        const Vf w = splat(weights[r * kTile + t]);
        sums[r][0] = fma(w, even, sums[r][0]);
        sums[r][1] = fma(w, odd, sums[r][1]);
      }
    }
    for (int r = 0; r < R; ++r) {
      store(out + r * out_stride + i, sums[r][0]);
      store(out + r * out_stride + i + kW, sums[r][1]);
    }
  }
}

// Scales of V's row of a key; those of nvfp4_swizzled stand among those of three others.
template <Format F>
inline void load_scales_of_value(const HeadTile& t, int key, float* to) {
  const uint8_t* scales = scales_of(t.v, key);
  uint8_t gathered[kMaxBlocks];
  if constexpr (F == Format::kNvfp4Swizzled) {
    gather_swizzled(scales, t.p.v.scale_token_stride, (t.begin + key) % 4, t.p.layer.dim_v,
                    gathered);
    scales = gathered;
  }
  load_block_scales(scales, t.p.layer.dim_v, to);
}

// Keys [key, key + n) of a head.
template <Format F>
inline void add_block_keys(const HeadTile& t, int key, int n, Buffers& b) {
  float scales[kValueKeys][kMaxBlocks];
  for (int j = 0; j < n; ++j) load_scales_of_value<F>(t, key + j, scales[j]);
  const HeadKeys v{t.v.rows + key, t.v.offset, n};
  by_row_blocks(
      t.rows, [&]<int R>(int r) __attribute__((always_inline)) {
        const int row = t.first + r;
        add_blocks<R>(b.scores + row * kTile + key, v, scales, t.p.layer.dim_v,
                      b.out + row * b.out_stride, b.out_stride);
      });
}

template <Format F>
inline void attend_block_tile(const AttendParams& p, const QueryRows& q, int32_t begin,
                              const KeyRows& keys, Prefetcher& ahead, Buffers& b) {
  const auto tile_of = [&](int h) { return head_tile(p, q, begin, h, keys); };
  const int k_bytes = row_bytes(F, p.layer.dim_qk);
  const int v_bytes = row_bytes(F, p.layer.dim_v);
  in_turns<kStreamKeys, 4>(
      q.kv_heads, keys.n, [&](int h, int key, int) __attribute__((always_inline)) {
        ahead.use(4 * k_bytes);
        score_four_blocks(tile_of(h), key, b);
      });
  for (int h = 0; h < q.kv_heads; ++h) {
    weigh(tile_of(h), nullptr, nullptr, 1.0F, b);
    rescale_rows(tile_of(h), b);
  }
  in_turns<kValueKeys, kValueKeys>(
      q.kv_heads, keys.n, [&](int h, int key, int n) __attribute__((always_inline)) {
        ahead.use(n * v_bytes);
        add_block_keys<F>(tile_of(h), key, n, b);
      });
}

// Whether all sums of an item are numbers.
inline bool sums_are_finite(int rows, int dim, const Buffers& b) {
  Vf all = zero();
  for (int r = 0; r < rows; ++r) {
    for (int i = 0; i < dim; i += kW) all = fma(load(b.out + r * b.out_stride + i), zero(), all);
  }
  return count(unordered(all)) == 0;
}

// Everything of an item of few rows up to its sums, in order, and row states. Returns false where
// staged rows are wanted.
template <Format F>
inline bool attend_block_rows(const AttendParams& p, const WorkItem& item, Buffers& b) {
  const int rows = rows_of(p, item.rows);
  load_queries<computed_as(F)>(p, item.rows, rows, b);
  for_tiles<F, false>(p, item, [&](int32_t begin, const KeyRows& keys, Prefetcher& ahead) {
    attend_block_tile<F>(p, item.rows, begin, keys, ahead, b);
  });
  if (!sums_are_finite(rows, p.layer.dim_v, b)) return false;
  restore_sums<computed_as(F)>(rows, p.layer.dim_v, b);
  return true;
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
