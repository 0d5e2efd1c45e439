// A work item whose products run on the matrix unit; elsewhere everything is as in attend.hpp.
#pragma once

#include "kernels/cpu/matrix.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// Formats whose values are exact as bf16. Those of rotated rows are, but not the queries for them.
constexpr bool exact_as_bf16(Format f) {
  return computed_as(f) != Format::kF32 && f != Format::kF16 && !is_rotated(f);
}

template <Format F>
inline bool uses_matrix(const AttendParams& p) {
  return exact_as_bf16(F) && p.q.dtype == Dtype::kBf16;
}

template <Format F>
inline void attend_matrix_tile(const AttendParams& p, const QueryRows& q, const MatrixShape& s,
                               int32_t begin, const KeyRows& keys, const KeyRows* next,
                               MatrixBuffers& m, Buffers& b) {
  constexpr bool kRowScales = has_row_scales(F);
  const int64_t v_stride = p.layer.latent != 0 ? p.k.head_stride : p.v.head_stride;
  Ahead ahead = make_ahead<F>(p, q, keys, next);
  RowScales scales;
  StagedTile staged;
  for (int h = 0; h < q.kv_heads; ++h) {
    const HeadTile t{p,
                     q,
                     begin,
                     h,
                     h * s.rows,
                     s.rows,
                     {keys.k, h * p.k.head_stride, keys.n},
                     {keys.v, h * v_stride, keys.n}};
    float* out = m.out + h * s.out_floats();
    if constexpr (kRowScales) find_scales(p, q.sequence, q.kv_head + h, begin, keys.n, scales);
    if constexpr (is_staged(F)) {
      const HeadTile rows = stage_tile<F>(t, staged, b);
      multiply_queries<computed_as(F)>(rows, s, m.q + h * s.q_words(), &ahead.v, &ahead.next_k, m,
                                       b);
    } else {
      multiply_queries<F>(t, s, m.q + h * s.q_words(), &ahead.v, &ahead.next_k, m, b);
    }
    weigh<kRowScales>(t, scales, staged_factor(F), b);
    rescale_sums(s, b.state.alpha + t.first, out);
    pack_weights(t, s, b, m.weights);
    add_products(s, t.v.n, m, out);
  }
}

// Sums as finish.hpp takes them: rows in order, both parts of their weights together. Four columns
// of a panel are neighbours in the head, too. Returns whether all are finite.
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
      const auto put = [&](int column, __m128 four) {
        const int place = value_place<F>(n, column);
        if (place < b.out_stride) _mm_storeu_ps(to + place, four);
      };
      put(0, _mm512_castps512_ps128(x));
      put(4, _mm512_extractf32x4_ps(x, 1));
      put(8, _mm512_extractf32x4_ps(x, 2));
      put(12, _mm512_extractf32x4_ps(x, 3));
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
  for_tiles<F>(p, item, [&](int32_t begin, const KeyRows& keys, const KeyRows* next) {
    attend_matrix_tile<F>(p, q, s, begin, keys, next, m, b);
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
