// From sums to out: dividing, sinks, lse, and the parts of a divided context put together by the
// block that ends the last of them.
#pragma once

#include <math.h>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/layout.hpp"
#include "kernels/cuda/rows.cuh"

namespace attnrt::cuda {

constexpr float kLog2E = 1.4426950408889634F;

// A row's weights are 2^(score - reference), `total` their sum. NaN in the total says that a score
// was NaN, whatever the reference.
struct Softmax {
  float reference;
  float total;

  ATTNRT_DEVICE bool empty() const { return total == 0.0F; }
  ATTNRT_DEVICE float inverse() const { return 1.0F / total; }
  ATTNRT_DEVICE float lse() const {
    constexpr float kLn2 = 0.6931471805599453F;
    return total == 0.0F ? -INFINITY : reference * kLn2 + logf(total);
  }
  // Against another reference. Returns the factor of sums.
  ATTNRT_DEVICE float move_to(float to) {
    const float base = to == -INFINITY ? 0.0F : to;
    const float factor = reference == to ? 1.0F : exp2f(reference - base);
    reference = base;
    total *= factor;
    return factor;
  }
  // The sink of a query head joins the total. Returns the factor of sums.
  ATTNRT_DEVICE float join_sink(const AttendParams& p, int head) {
    if (p.sinks == nullptr) return 1.0F;
    const float sink = p.sinks[head] * kLog2E;
    const float factor = move_to(fmaxf(reference, sink));
    total += exp2f(sink - reference);
    return factor;
  }
};

// A row's place in out and lse.
class RowOut {
 public:
  ATTNRT_DEVICE RowOut(const AttendParams& p, const QueryRows& q, int row) : p_(p) {
    const RowPlace at = place_of(p, q, row);
    token_ = p.batch->q_start[at.sequence] + at.query;
    head_ = at.head;
    row_ = p.out.data + token_ * p.out.token_stride + head_ * p.out.head_stride;
  }
  ATTNRT_DEVICE int head() const { return head_; }

  ATTNRT_DEVICE void write(int column, float x) const {
    switch (p_.out.dtype) {
      case Dtype::kF32:
        reinterpret_cast<float*>(row_)[column] = x;
        return;
      case Dtype::kF16:
        reinterpret_cast<uint16_t*>(row_)[column] =
            static_cast<uint16_t>(pack_halves<F16>(x, 0.0F) & 0xFFFFU);
        return;
      default:
        reinterpret_cast<uint16_t*>(row_)[column] =
            static_cast<uint16_t>(pack_halves<Bf16>(x, 0.0F) & 0xFFFFU);
    }
  }
  ATTNRT_DEVICE void write_lse(float lse) const {
    if (p_.lse != nullptr) p_.lse[token_ * p_.lse_token_stride + head_ * p_.lse_head_stride] = lse;
  }

 private:
  const AttendParams& p_;
  int64_t token_;
  int head_;
  uint8_t* row_;
};

template <int kRows>
ATTNRT_DEVICE float* part_row(const AttendParams& p, int part, int row) {
  return p.partials + (int64_t{part} * kRows + row) * partial_width(p.dim_v);
}

// The partial results of a unit's row: of its own keys, then of those that it shares.
template <int kRows>
class RowParts {
 public:
  ATTNRT_DEVICE RowParts(const AttendParams& p, const SplitUnit& unit, int row)
      : p_(p), own_(unit.parts), row_(row) {
    if (unit.shared_row < 0) return;
    const int at = unit.shared_row + row;
    shared_ = p.batch->division.shared_tiles[unit.first_tile + at / kRows];
    shared_row_ = at % kRows;
  }
  ATTNRT_DEVICE int count() const { return own_.count + shared_.count; }
  ATTNRT_DEVICE const float* operator[](int i) const {
    if (i < own_.count) return part_row<kRows>(p_, own_.first + i, row_);
    return part_row<kRows>(p_, shared_.first + i - own_.count, shared_row_);
  }

 private:
  const AttendParams& p_;
  const PartRange own_;
  PartRange shared_{0, 0};
  const int row_;
  int shared_row_ = 0;
};

// One row out of its parts, by a warp: maximum and total with a lane a part, then each lane its
// columns.
template <int kRows>
ATTNRT_DEVICE void combine_row(const AttendParams& p, const SplitUnit& unit, int row, float scale) {
  constexpr int kMostColumns = 512 / 32;  // of a lane
  const RowOut out(p, unit.q, row);
  const int lane = thread_index() % 32;
  const RowParts<kRows> parts(p, unit, row);
  float top = -INFINITY;
  for (int i = lane; i < parts.count(); i += 32) top = fmaxf(top, parts[i][p.dim_v]);
  top = largest_of_warp(top);
  const float base = top == -INFINITY ? 0.0F : top;
  Softmax all{base, 0.0F};
  for (int i = lane; i < parts.count(); i += 32) {
    all.total += exp2f(parts[i][p.dim_v] - base) * parts[i][p.dim_v + 1];
  }
  all.total = sum_of_warp(all.total);

  float sums[kMostColumns] = {};
  for (int i = 0; i < parts.count(); ++i) {
    const float* from = parts[i];
    const float weight = exp2f(from[p.dim_v] - base);
    if (weight == 0.0F) continue;  // a part that saw nothing counts for nothing
    ATTNRT_UNROLL
    for (int c = 0; c < kMostColumns; ++c) {
      if (c * 32 + lane < p.dim_v) sums[c] += weight * from[c * 32 + lane];
    }
  }
  const float factor = all.join_sink(p, out.head()) * scale;
  const float inverse = all.inverse();
  ATTNRT_UNROLL
  for (int c = 0; c < kMostColumns; ++c) {
    if (c * 32 + lane < p.dim_v) {
      out.write(c * 32 + lane, all.empty() ? 0.0F : sums[c] * (factor * inverse));
    }
  }
  if (lane == 0) out.write_lse(all.lse());
}

// A part of the unit is written; the block that wrote the last one puts them together. `scratch`:
// four bytes of shared memory.
template <int kRows>
ATTNRT_DEVICE void finish_unit(const AttendParams& p, int unit_index, float value_factor,
                               SharedAddress scratch) {
  const SplitUnit& unit = p.batch->division.units[unit_index];
  sync_block();
  if (thread_index() == 0) {
    store_shared<uint32_t>(scratch, add_and_order(&p.arrived[unit_index], 1));
  }
  sync_block();
  if (load_shared<uint32_t>(scratch) + 1 != static_cast<uint32_t>(unit.arrivals)) return;
  const float scale = value_factor * scale_of(p.v_scale, unit.q.kv_head);
  for (int row = thread_index() / 32; row < unit.q.rows; row += kWarps) {
    combine_row<kRows>(p, unit, row, scale);
  }
  if (thread_index() == 0) p.arrived[unit_index] = 0;
}

}  // namespace attnrt::cuda
