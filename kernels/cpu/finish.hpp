// From sums to results: the sink, the division, lse, rounding to the output type; and partial
// results of a split context put together.
#pragma once

#include <math.h>

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

template <Format F>
inline void write_row(const AttendParams& p, const RowPlace& place, int32_t kv_head, float m,
                      float l, const float* sums, float* line) {
  float kept = 1.0F;  // what the sums are worth beside the sink
  if (p.sinks != nullptr) {
    const float sink = p.sinks[place.head];
    const float top = m > sink ? m : sink;
    const float base = top == kMinusInfinity ? 0.0F : top;
    kept = exp1(m - base);
    l = l * kept + exp1(sink - base);
    m = top;
  }
  // l is 0 where nothing was visible; a NaN is passed on.
  const float factor =
      l == 0.0F ? 0.0F : kept * scale_of(p.v_scale, kv_head) * staged_factor(F) / l;
  if (uses_matrix<F>(p)) {
    scale_row(sums, p.layer.dim_v, factor, line);
  } else {
    restore_row<computed_as(F)>(sums, p.layer.dim_v, factor * value_factor(computed_as(F)), line);
  }
  if constexpr (is_rotated(F)) unrotate_row(line, p.layer.dim_v);
  if (l == 0.0F) memset(line, 0, static_cast<size_t>(p.layer.dim_v) * sizeof(float));
  narrow_row(p.out.dtype, line, p.layer.dim_v,
             p.out.data + place.token * p.out.token_stride + place.head * p.out.head_stride);
  if (p.lse == nullptr) return;
  const float lse = l == 0.0F ? kMinusInfinity : (m == kMinusInfinity ? 0.0F : m) + logf(l);
  memcpy(p.lse + place.token * p.lse_token_stride + place.head * p.lse_head_stride, &lse,
         sizeof(lse));
}

// A partial result: m of all rows, l of all rows, then the sums as attend_rows leaves them.
inline void write_partial(const AttendParams& p, const WorkItem& item, int rows, const Buffers& b) {
  float* slot = p.partials + item.partial;
  memcpy(slot, b.state.m, static_cast<size_t>(rows) * sizeof(float));
  memcpy(slot + rows, b.state.l, static_cast<size_t>(rows) * sizeof(float));
  memcpy(slot + 2 * rows, b.out, static_cast<size_t>(rows * b.out_stride) * sizeof(float));
}

ATTNRT_INLINE int32_t kv_head_of(const AttendParams& p, const RowPlace& place) {
  return place.head / p.layer.group;
}

// Sums of all rows; they stand in order where uses_matrix says so, else permuted.
template <Format F>
inline void attend_rows(const AttendParams& p, const WorkItem& item, int rows, MatrixBuffers& m,
                        Buffers& b) {
  clear_rows(rows, b);
  if (item.kv_begin >= item.kv_end) return;
  if (uses_matrix<F>(p) && attend_on_matrix<F>(p, item, m, b)) return;
  constexpr Format kAs = computed_as(F);
  clear_rows(rows, b);
  if constexpr (is_rotated(F)) {
    attend_int4(p, item, rows, b);
  } else {
    load_queries<kAs>(p, item.rows, rows, b);
    attend_tiles<F>(p, item, b);
  }
  if (!uses_matrix<F>(p)) return;
  restore_sums<kAs>(rows, p.layer.dim_v, b);
}

template <Format F>
inline void attend_item(const AttendParams& p, const WorkItem& item, MatrixBuffers& m, Buffers& b) {
  const int rows = rows_of(p, item.rows);
  attend_rows<F>(p, item, rows, m, b);
  if (item.unit >= 0) return write_partial(p, item, rows, b);
  for (int r = 0; r < rows; ++r) {
    const RowPlace place = place_of(p, item.rows, r);
    write_row<F>(p, place, kv_head_of(p, place), b.state.m[r], b.state.l[r],
                 b.out + r * b.out_stride, b.line);
  }
}

// A row in the partial results of a unit.
struct RowParts {
  const float* first;
  int64_t part_floats;
  int parts;
  int rows;
  int r;
};

ATTNRT_INLINE RowParts row_parts(const AttendParams& p, const SplitUnit& unit, int r) {
  return {p.partials + unit.first, unit.part_floats, unit.parts, rows_of(p, unit.rows), r};
}

// What row r of a follower has over the shared keys.
inline RowParts shared_parts(const AttendParams& p, const SplitUnit& unit, int r) {
  const SharedTile& tile = p.tiles[unit.tile];
  const int32_t per_head = unit.rows.q_count * p.layer.group;
  const int32_t kv_head = unit.rows.kv_head + r / per_head;
  const SplitUnit& shared = p.units[tile.first_unit + kv_head / tile.unit_heads];
  const int32_t head = kv_head - shared.rows.kv_head;
  const int32_t row = (head * shared.rows.q_count + unit.token) * p.layer.group + r % per_head;
  return row_parts(p, shared, row);
}

inline float largest_max(const RowParts& row, float m) {
  for (int i = 0; i < row.parts; ++i) {
    const float part = row.first[i * row.part_floats + row.r];
    m = part > m ? part : m;
  }
  return m;
}

inline void add_parts(const RowParts& row, float base, float& l, Buffers& b) {
  const int width = static_cast<int>(b.out_stride);
  for (int i = 0; i < row.parts; ++i) {
    const float* part = row.first + i * row.part_floats;
    const float weight = exp1(part[row.r] - base);
    l += weight * part[row.rows + row.r];
    const float* sums = part + 2 * row.rows + int64_t{row.r} * width;
    for (int c = 0; c < width; c += kW) {
      store(b.out + c, fma(splat(weight), load(sums + c), load(b.out + c)));
    }
  }
}

// Row r of a split unit: sums of all parts, brought to the largest of their maxima.
inline void combine_row(const AttendParams& p, const SplitUnit& unit, int r, Buffers& b, float& m,
                        float& l) {
  const RowParts own = row_parts(p, unit, r);
  const RowParts shared = unit.tile < 0 ? RowParts{} : shared_parts(p, unit, r);
  m = largest_max(own, largest_max(shared, kMinusInfinity));
  l = 0.0F;
  const float base = m == kMinusInfinity ? 0.0F : m;
  memset(b.out, 0, static_cast<size_t>(b.out_stride) * sizeof(float));
  add_parts(shared, base, l, b);
  add_parts(own, base, l, b);
}

template <Format F>
inline void finish_unit(const AttendParams& p, const SplitUnit& unit, Buffers& b) {
  const int rows = rows_of(p, unit.rows);
  for (int r = 0; r < rows; ++r) {
    float m;
    float l;
    combine_row(p, unit, r, b, m, l);
    const RowPlace place = place_of(p, unit.rows, r);
    write_row<F>(p, place, kv_head_of(p, place), m, l, b.out, b.line);
  }
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
