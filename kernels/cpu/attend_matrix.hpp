// A work item whose products run on the matrix unit; elsewhere everything is as in attend.hpp.
#pragma once

#include "kernels/cpu/matrix.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

template <Format F>
inline bool uses_matrix(const AttendParams& p) {
  return exact_as_bf16(F) && p.q.dtype == Dtype::kBf16;
}

template <Format F>
inline void attend_matrix_tile(const AttendParams& p, const QueryRows& q, const MatrixShape& s,
                               int32_t begin, const KeyRows& keys, Prefetcher& ahead,
                               MatrixBuffers& m, Buffers& b) {
  constexpr bool kRowScales = has_row_scales(F);
  RowScales scales;
  StagedTile staged;
  for (int h = 0; h < q.kv_heads; ++h) {
    const HeadTile t = head_tile(p, q, begin, h, keys);
    float* out = m.out + h * s.out_floats();
    if constexpr (kRowScales) find_scales(p, q.sequence, q.kv_head + h, begin, keys.n, scales);
    if constexpr (is_staged(F)) {
      const HeadTile rows = stage_tile<F>(t, staged, b);
      multiply_queries<computed_as(F)>(rows, s, m.q + h * s.q_words(), ahead, m, b);
    } else {
      multiply_queries<F>(t, s, m.q + h * s.q_words(), ahead, m, b);
    }
    weigh<kRowScales>(t, scales, staged_factor(F), b);
    rescale_sums(s, b.state.alpha + t.first, out);
    pack_weights(t, s, b, m.weights);
    add_products(s, t.v.n, m, out);
  }
}

// Sums as finish.hpp takes them: rows in order, both parts of their weights together. Returns
// whether all are finite.
template <Format F>
inline bool hand_over_sums(int heads, const MatrixShape& s, const MatrixBuffers& m, Buffers& b) {
  const int64_t width = int64_t{s.panels} * kTileRows;
  Vf all = zero();
  for (int row = 0; row < heads * s.rows; ++row) {
    const float* from = m.out + row / s.rows * s.out_floats() + row % s.rows * width;
    const float* rest = from + s.rows * width;
    float* to = b.out + row * b.out_stride;
    for (int n = 0; n < s.panels; ++n) {
      Vf x = load(from + n * kTileRows);
      if (s.split) x = add(x, load(rest + n * kTileRows));
      all = fma(x, zero(), all);
      store_columns<F>(n, x, b.out_stride, to);
    }
  }
  return count(unordered(all)) == 0;
}

template <Format F>
inline bool attend_exact_on_matrix(const AttendParams& p, const WorkItem& item, MatrixBuffers& m,
                                   Buffers& b) {
  const QueryRows& q = item.rows;
  const MatrixShape s = matrix_shape<computed_as(F)>(p.layer, q.q_count * p.layer.group);
  memset(m.q, 0, static_cast<size_t>(q.kv_heads * s.q_words()) * sizeof(*m.q));
  memset(m.out, 0, static_cast<size_t>(q.kv_heads * s.out_floats()) * sizeof(*m.out));
  memset(m.weights, 0, static_cast<size_t>(s.row_tiles * kTileRows * kTile) * sizeof(*m.weights));
  for (int h = 0; h < q.kv_heads; ++h)
    pack_queries<computed_as(F)>(p, q, h, s, m.q + h * s.q_words());
  Matrix::configure(s.n, s.m);
  for_tiles<F>(p, item, [&](int32_t begin, const KeyRows& keys, Prefetcher& ahead) {
    attend_matrix_tile<F>(p, q, s, begin, keys, ahead, m, b);
  });
  Matrix::release();
  return hand_over_sums<computed_as(F)>(q.kv_heads, s, m, b);
}

// Everything of an item up to its sums and row states. Returns false, with nothing done, where the
// products of stream.hpp are wanted: for up to four rows a head they are faster, the unit would
// idle; and where a sum is not finite, since a weight of 0 does not make a NaN or an infinity 0.
template <Format F>
inline bool attend_on_matrix(const AttendParams& p, const WorkItem& item, MatrixBuffers& m,
                             Buffers& b) {
  if constexpr (exact_as_bf16(F)) {
    return item.rows.q_count * p.layer.group > kFewRows && attend_exact_on_matrix<F>(p, item, m, b);
  }
  return false;
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
