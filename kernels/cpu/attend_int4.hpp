// int4_per_token_head: a head's rows of a tile are staged as codes less their zero point, whole
// numbers that are exact in bf16; their scales go the way of int8's, to scores and weights.
//
// K stands rotated, so q is rotated, too; V's rotation is undone on the finished row (finish.hpp).
// A rotated query has more bits than a bf16, whatever q is: the products are those of f32.
#pragma once

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

struct ZeroPoints {
  alignas(64) float k[kTile];
  alignas(64) float v[kTile];
};

// Zero points out of the last four bits of scales, which are cleared.
inline void take_zero_points(float* scales, float* zero_points) {
  for (int t = 0; t < kTile; t += kW) {
    const Vi all = bits(load(scales + t));
    store(zero_points + t, to_float(and_i(all, splat_i(0xF))));
    store(scales + t, floats(and_i(all, splat_i(~0xF))));
  }
}

// As bf16, in order: an odd value's upper half goes where it stands already.
inline void stage_int4_row(const uint8_t* row, float zero_point, int dim, uint8_t* to) {
  for (int i = 0; i < dim; i += kChunk) {
    Vf even;
    Vf odd;
    load_int4(row + i / 2, splat(zero_point), even, odd);
    const Vi both = or_i(shr<16>(bits(even)), bits(odd));
    store(reinterpret_cast<float*>(to + 2 * i), floats(both));
  }
}

// As f32 and no longer rotated. Sums of n whole numbers and their n-th part: exact.
inline void stage_unrotated_row(const uint8_t* row, float zero_point, int dim, uint8_t* to) {
  auto* x = reinterpret_cast<float*>(to);
  for (int i = 0; i < dim; i += 2) {
    x[i] = static_cast<float>(row[i / 2] & 0xF) - zero_point;
    x[i + 1] = static_cast<float>(row[i / 2] >> 4) - zero_point;
  }
  unrotate_row(x, dim);
}

// The staged rows of a head, and their scales. kKeys: bf16, rotated, or f32, unrotated.
template <Format kKeys>
inline HeadTile stage_int4_tile(const HeadTile& t, StagedTile& rows, RowScales& scales,
                                const Buffers& b) {
  load_scales(t, scales);
  ZeroPoints zero_points;
  take_zero_points(scales.k, zero_points.k);
  take_zero_points(scales.v, zero_points.v);
  rows.k = b.staged;
  rows.k_stride = element_bytes(kKeys) * b.q_stride;
  rows.v = rows.k + kTile * rows.k_stride;
  rows.v_stride = element_bytes(Format::kBf16) * b.out_stride;
  for (int i = 0; i < t.k.n; ++i) {
    const uint8_t* k = row_of(t.k, i);
    uint8_t* to = rows.k + i * rows.k_stride;
    if constexpr (kKeys == Format::kBf16) {
      stage_int4_row(k, zero_points.k[i], t.p.layer.dim_qk, to);
    } else {
      stage_unrotated_row(k, zero_points.k[i], t.p.layer.dim_qk, to);
    }
    stage_int4_row(row_of(t.v, i), zero_points.v[i], t.p.layer.dim_v, rows.v + i * rows.v_stride);
  }
  list_staged(t.k.n, rows);
  return {
      t.p, t.q, t.begin, t.head, t.first, t.rows, {rows.k_rows, 0, t.k.n}, {rows.v_rows, 0, t.v.n}};
}

template <Format kKeys>
inline void attend_int4_tiles(const AttendParams& p, const WorkItem& item, Buffers& b) {
  StagedTile staged;
  RowScales scales;
  for_tiles<Format::kInt4>(p, item, [&](int32_t begin, const KeyRows& keys, Prefetcher& ahead) {
    for (int h = 0; h < item.rows.kv_heads; ++h) {
      const HeadTile in_pages = head_tile(p, item.rows, begin, h, keys);
      const HeadTile tile = stage_int4_tile<kKeys>(in_pages, staged, scales, b);
      attend_heads<kKeys, Format::kBf16>(
          1, 1.0F, [&](int) { return tile; }, [&](int) { return &scales; }, ahead, b);
    }
  });
}

// Rotated rows of q as products with bf16 take them. Returns false where one is not finite.
inline bool load_rotated_queries(const AttendParams& p, const QueryRows& q, int rows, Buffers& b) {
  Vf all = zero();
  for (int r = 0; r < rows; ++r) {
    widen_row(p.q.dtype, query_row(p, q, r), p.layer.dim_qk, b.line);
    for (int i = 0; i < p.layer.dim_qk; i += kW) all = fma(load(b.line + i), zero(), all);
    rotate_query(b.line, p.layer.dim_qk);
    permute_row<Format::kBf16>(b.line, p.layer.dim_qk, b.q + r * b.q_stride);
  }
  return count(unordered(all)) == 0;
}

// An infinite q gives scores of one infinity, of which a rotation would make the difference of two:
// there the keys are unrotated instead, one after the other.
inline void attend_int4(const AttendParams& p, const WorkItem& item, int rows, Buffers& b) {
  AttendParams as_f32 = p;
  as_f32.q.dtype = Dtype::kF32;
  if (load_rotated_queries(p, item.rows, rows, b)) {
    return attend_int4_tiles<Format::kBf16>(as_f32, item, b);
  }
  load_queries<Format::kF32>(p, item.rows, rows, b);
  attend_int4_tiles<Format::kF32>(as_f32, item, b);
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
