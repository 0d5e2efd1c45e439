// A work item whose products run on the matrix unit; elsewhere everything is as in attend.hpp.
#pragma once

#include "kernels/cpu/few_rows.hpp"
#include "kernels/cpu/lanes.hpp"
#include "kernels/cpu/matrix.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

inline void map_exp2(const float* in, float* out, int64_t n) {
  for (int64_t i = 0; i < n; i += kW) {
    const auto mask = static_cast<__mmask16>(n - i < kW ? (1U << (n - i)) - 1U : 0xFFFFU);
    _mm512_mask_storeu_ps(out + i, mask, exp2_weight(_mm512_maskz_loadu_ps(mask, in + i)));
  }
}
constexpr MapFunction kExp2 = map_exp2;

template <Format F>
inline bool uses_matrix(const AttendParams& p) {
  return (exact_as_bf16(F) || has_few_rows(F)) && p.q.dtype == Dtype::kBf16;
}

// A head's keys of a tile against all of its rows. Rows that see none of them are left out.
template <Format F>
inline void attend_matrix_head(const HeadTile& t, const MatrixShape& s, const RowScales* scales,
                               float value_scale, Prefetcher& ahead, MatrixBuffers& m) {
  const KeyTiles keys = key_tiles<F>(t, s, ahead, m.keys);
  unpack_all_values<F>(t, s, ahead, m.values);
  const AttendParams& p = t.p;
  const float scale =
      p.layer.softmax_scale * scale_of(p.k_scale, t.q.kv_head + t.head) * value_scale;
  for (int i = 0; i < s.row_tiles; ++i) {
    const int n = keys_in_sight(m.lanes[i], t.begin, t.k.n);
    if (n == 0) continue;
    const int64_t tile = int64_t{t.head} * s.row_tiles + i;
    float* out = m.out + tile * s.m * s.panels * kTileRows;
    const uint32_t* q = m.q + tile * s.steps * kTileRows * s.n;
    multiply_keys(s, keys, divide_up(n, kTileRows), q, m.scores);
    weigh_lanes_of(s.n, {t, m.lanes[i], i, n, scales, scale}, m.scores, m.states[tile], m.weights);
    rescale_sums(s, m.states[tile].alpha, out);
    add_products(s, n, m, out);
  }
}

template <Format F>
inline void attend_matrix_tile(const AttendParams& p, const QueryRows& q, const MatrixShape& s,
                               int32_t begin, const KeyRows& keys, Prefetcher& ahead,
                               MatrixBuffers& m, Buffers& b) {
  RowScales scales;
  StagedTile staged;
  for (int h = 0; h < q.kv_heads; ++h) {
    const HeadTile t = head_tile(p, q, begin, h, keys);
    if constexpr (is_staged(F)) {
      const HeadTile rows = stage_tile<F>(t, staged, b);
      attend_matrix_head<computed_as(F)>(rows, s, nullptr, staged_factor(F), ahead, m);
    } else if constexpr (has_row_scales(F)) {
      load_scales(t, scales);
      attend_matrix_head<F>(t, s, &scales, 1.0F, ahead, m);
    } else {
      attend_matrix_head<F>(t, s, nullptr, 1.0F, ahead, m);
    }
  }
}

// States and sums as finish.hpp takes them: rows in order, both parts of their weights together.
// Returns whether all are finite.
template <Format F>
inline bool hand_over_sums(int heads, const MatrixShape& s, const MatrixBuffers& m, Buffers& b) {
  const int64_t width = int64_t{s.panels} * kTileRows;
  Vf all = zero();
  for (int row = 0; row < heads * s.rows; ++row) {
    const int in_head = row % s.rows;
    const int64_t tile = int64_t{row / s.rows} * s.row_tiles + in_head / kTileRows;
    const int lane = in_head % kTileRows;
    hand_over_state(m.states[tile], s.n, lane, b.state.m[row], b.state.l[row]);
    const float* from = m.out + (tile * s.m + lane) * width;
    const float* rest = from + s.n * width;
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
  for (int i = 0; i < s.row_tiles; ++i) fill_lanes(p, q, s.rows, s.n, i, m.lanes[i]);
  for (int i = 0; i < q.kv_heads * s.row_tiles; ++i) clear_state(m.states[i]);
  for (int h = 0; h < q.kv_heads; ++h)
    pack_queries<computed_as(F)>(p, q, h, s, m.q + h * s.q_words());
  Matrix::configure(tile_config(s.n, s.m));
  for_tiles<F>(p, item, [&](int32_t begin, const KeyRows& keys, Prefetcher& ahead) {
    attend_matrix_tile<F>(p, q, s, begin, keys, ahead, m, b);
  });
  Matrix::release();
  return hand_over_sums<computed_as(F)>(q.kv_heads, s, m, b);
}

// Everything of an item up to its sums and row states. Returns false, with nothing done, where the
// f32 path is wanted: where a sum is not finite, since a weight of 0 does not make a NaN or an
// infinity 0.
template <Format F>
inline bool attend_on_matrix(const AttendParams& p, const WorkItem& item, MatrixBuffers& m,
                             Buffers& b) {
  if constexpr (exact_as_bf16(F)) {
    return attend_exact_on_matrix<F>(p, item, m, b);
  } else if constexpr (has_few_rows(F)) {
    return item.rows.q_count * p.layer.group <= kFewRows && attend_few_rows<F>(p, item, m.few, b);
  }
  return false;
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
