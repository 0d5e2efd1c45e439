// A work item whose products are dot products of bf16 pairs, for CPUs with AVX512-BF16 and no
// matrix unit; elsewhere everything is as in attend.hpp.
//
// Same rules as attend_matrix.hpp: bf16 queries over values that are exact in bf16; sums that are
// not finite send the item back to the f32 path, since a weight of 0 does not make a NaN 0.
#pragma once

#include "kernels/cpu/dots.hpp"
#include "kernels/cpu/few_rows.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// A thread's buffers beside those of attend.hpp.
struct MatrixBuffers {
  uint32_t* q;        // [row][q_stride] pairs
  uint32_t* keys;     // panels of kTile keys
  uint16_t* values;   // panels of V
  uint16_t* weights;  // [row][kTile]
  float* out;         // [row][out_stride], in the order of value_place
  FewBuffers few;
  int64_t q_stride;    // pairs
  int64_t out_stride;  // columns
};

inline void cut_matrix(const LayerParams& layer, Scratch& scratch, MatrixBuffers& b) {
  b.q_stride = round_up(layer.dim_qk, kCodeStep) / 2;
  b.out_stride = round_up(layer.dim_v, kCodeStep);
  b.q = scratch.take<uint32_t>(kMaxRows * b.q_stride);
  b.keys = scratch.take<uint32_t>(kTile * b.q_stride);
  b.values = scratch.take<uint16_t>(kTile * b.out_stride);
  b.weights = scratch.take<uint16_t>(int64_t{kMaxRows} * kTile);
  b.out = scratch.take(kMaxRows * b.out_stride);
  cut_few(layer, scratch, b.few);
}

constexpr MapFunction kExp2 = nullptr;  // softmax is in powers of e

template <Format F>
inline bool uses_matrix(const AttendParams& p) {
  return (exact_as_bf16(F) || has_few_rows(F)) && p.q.dtype == Dtype::kBf16;
}

inline void pack_queries(const AttendParams& p, const QueryRows& q, int rows, MatrixBuffers& m) {
  const auto bytes = static_cast<size_t>(2 * p.layer.dim_qk);
  for (int r = 0; r < rows; ++r) {
    memcpy(m.q + r * m.q_stride, query_row(p, q, r), bytes);
  }
}

// Raw scores of a head's rows; V of the same keys is on its way from memory meanwhile.
template <Format F>
inline void score_panels(const HeadTile& t, Prefetcher& ahead, MatrixBuffers& m, Buffers& b) {
  const int dim = t.p.layer.dim_qk;
  const int64_t stride = m.q_stride * kPanel;
  const int panels = static_cast<int>(round_up(t.k.n, 2 * kPanel)) / kPanel;
  for (int n = 0; n < panels; ++n) {
    ahead.use(kPanel * row_bytes(F, dim));
    pack_key_panel<F>(t.k, n * kPanel, dim, m.keys + n * stride);
  }
  multiply_panels<false>(m.q + t.first * m.q_stride, m.q_stride, m.keys, stride, panels, dim / 2,
                         t.rows, b.state.alpha, b.scores + t.first * kTile, kTile);
}

inline void pack_weights(const HeadTile& t, const Buffers& b, MatrixBuffers& m) {
  const int n = static_cast<int>(round_up(t.v.n, kW));
  for (int r = t.first; r < t.first + t.rows; ++r) {
    const float* from = b.scores + r * kTile;
    for (int i = 0; i < n; i += kDotStep) {
      const Vf high = i + kW < n ? load(from + i + kW) : zero();
      _mm512_store_si512(m.weights + r * kTile + i, round_weights(load(from + i), high));
    }
  }
}

// m.out = alpha * m.out + weights x V.
template <Format F>
inline void add_panels(const HeadTile& t, Prefetcher& ahead, MatrixBuffers& m, const Buffers& b) {
  constexpr int64_t kStride = int64_t{kTile} / 2 * kPanel;  // pairs of a panel
  const int dim = t.p.layer.dim_v;
  for (int key = 0; key < t.v.n; key += 2) {
    ahead.use(2 * row_bytes(F, dim));
    unpack_value_pair<F>(row_of(t.v, key), key + 1 < t.v.n ? row_of(t.v, key + 1) : nullptr, dim,
                         m.values + key * kPanel, 2 * kStride);
  }
  constexpr int kColumns = kUnpackChunk<F>;
  const int panels = static_cast<int>(round_up(dim, kColumns)) / kPanel;
  multiply_panels<true>(reinterpret_cast<const uint32_t*>(m.weights) + t.first * (kTile / 2),
                        kTile / 2, reinterpret_cast<const uint32_t*>(m.values), kStride, panels,
                        (t.v.n + 1) / 2, t.rows, b.state.alpha + t.first,
                        m.out + t.first * m.out_stride, m.out_stride);
}

template <Format F, Format As>
inline void attend_head(const HeadTile& t, const RowScales* scales, Prefetcher& ahead,
                        MatrixBuffers& m, Buffers& b) {
  score_panels<As>(t, ahead, m, b);
  weigh_scaled(t, scales, staged_factor(F), b);
  pack_weights(t, b, m);
  add_panels<As>(t, ahead, m, b);
}

template <Format F>
inline void attend_dots_tile(const AttendParams& p, const QueryRows& q, int32_t begin,
                             const KeyRows& keys, Prefetcher& ahead, MatrixBuffers& m, Buffers& b) {
  RowScales scales;
  StagedTile staged;
  for (int h = 0; h < q.kv_heads; ++h) {
    const HeadTile t = head_tile(p, q, begin, h, keys);
    if constexpr (has_row_scales(F)) load_scales(t, scales);
    const RowScales* row_scales = has_row_scales(F) ? &scales : nullptr;
    if constexpr (is_staged(F)) {
      attend_head<F, computed_as(F)>(stage_tile<F>(t, staged, b), row_scales, ahead, m, b);
    } else {
      attend_head<F, F>(t, row_scales, ahead, m, b);
    }
  }
}

// Sums to rows in order. Returns whether all are finite.
template <Format F>
inline bool hand_over_sums(const AttendParams& p, int rows, const MatrixBuffers& m, Buffers& b) {
  const int panels = static_cast<int>(round_up(p.layer.dim_v, kUnpackChunk<F>)) / kPanel;
  Vf all = zero();
  for (int r = 0; r < rows; ++r) {
    for (int n = 0; n < panels; ++n) {
      const Vf x = load(m.out + r * m.out_stride + n * kPanel);
      all = fma(x, zero(), all);
      store_columns<F>(n, x, b.out_stride, b.out + r * b.out_stride);
    }
  }
  return count(unordered(all)) == 0;
}

// Everything of an item up to its sums and row states. Returns false, with nothing done, where the
// f32 path is wanted.
template <Format F>
inline bool attend_on_matrix(const AttendParams& p, const WorkItem& item, MatrixBuffers& m,
                             Buffers& b) {
  const QueryRows& q = item.rows;
  if (q.q_count * p.layer.group <= kFewRows) {
    if constexpr (has_few_rows(F)) return attend_few_rows<F>(p, item, m.few, b);
    return false;
  }
  if constexpr (exact_as_bf16(F)) {
    const int rows = rows_of(p, q);
    memset(m.out, 0, static_cast<size_t>(rows * m.out_stride) * sizeof(float));
    pack_queries(p, q, rows, m);
    for_tiles<F>(p, item, [&](int32_t begin, const KeyRows& keys, Prefetcher& ahead) {
      attend_dots_tile<F>(p, q, begin, keys, ahead, m, b);
    });
    return hand_over_sums<computed_as(F)>(p, rows, m, b);
  }
  return false;
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
