// Where things stand in a block's shared memory: one place for the kernel and for whoever launches
// it.
//
// A block of 4 warps works on kRows query rows and goes over its keys in tiles of kKeys. Two ways
// to divide that among the warps:
//   by rows     each warp has 16 rows of its own, with all keys and columns (prefill);
//   by columns  all share 16 rows: scores are divided by keys, sums by columns (decode).
// Rows of q, K and V stand with 16 bytes between them, so that the 8 rows that a matrix of ldmatrix
// has lie in different banks.
#pragma once

#include <stdint.h>

#include "kernels/cuda/params.hpp"

namespace attnrt::cuda {

constexpr int kThreads = 128;
constexpr int kWarps = 4;
constexpr int kWarpRows = 16;
constexpr int kMostSlots = 4;  // of the ring of tiles

// Keys of a tile: as many as leave room in a warp's registers, for scores beside sums.
constexpr int tile_keys(Format format, int dim_v, bool by_rows) {
  return dim_v <= 128 && !(by_rows && element_bits(format) == 4) ? 64 : 32;
}

// kDimV: the columns that sums have registers for: 64, 128, 256 or 512.
template <Format kFormatOf, int kDimV, bool kByRows>
struct Tile {
  static constexpr Format kFormat = kFormatOf;
  static constexpr int kRows = kByRows ? kWarps * kWarpRows : kWarpRows;
  static constexpr int kKeys = tile_keys(kFormat, kDimV, kByRows);
  static constexpr int kChunks = row_bytes(kFormat, kDimV) / 16;  // of a row of V
};

constexpr int round_up(int n, int to) {
  return (n + to - 1) / to * to;
}

// Bytes of a stored row as far as kernels read it: four matrices of ldmatrix side by side.
constexpr int padded_row_bytes(Format format, int dim) {
  return round_up(row_bytes(format, dim), 64);
}

struct SharedLayout {
  uint32_t q_pitch;  // of a row of q, in bytes, as below
  uint32_t k_pitch;
  uint32_t v_pitch;
  uint32_t weight_pitch;
  uint32_t q_rest;    // q stands at 0; where its rows are rotated, what is left of it here
  uint32_t weights;   // [weight_copies][rows][keys] of halves
  uint32_t maxima;    // f32 [warps][16]
  uint32_t totals;    // the same
  uint32_t landings;  // of bulk copies, one a slot
  uint32_t ring;
  uint32_t slot_bytes;
  uint32_t slot_scales;  // in a slot, behind a tile's rows of K or V
  uint32_t scale_pitch;  // of a row's scales of blocks; 0: rows have one scale, K's slot V's too
};

// Weights times scales of V's rows leave f16's range, and a unit for all of them would leave those
// of small scales no bits: there they stand as two bf16, the second what the first leaves.
constexpr int weight_parts(Format format, Dtype half) {
  return has_row_scales(format) && !is_rotated(format) && half == Dtype::kF16 ? 2 : 1;
}
// How often a weight stands in shared memory: times the scale of each stretch of V, or in parts.
constexpr int weight_copies(Format format, Dtype half) {
  return has_stretches(format) ? kStretches : weight_parts(format, half);
}

// half: the type of q.
constexpr SharedLayout shared_layout(Format format, Dtype half, int dim_qk, int dim_v, int latent,
                                     int rows, int keys) {
  const int k_bytes = padded_row_bytes(format, dim_qk);
  const int v_bytes = latent != 0 ? 0 : round_up(row_bytes(format, dim_v), 32);
  SharedLayout s{};
  // Elements of q stand as often as those of K, the padding of its rows included.
  s.q_pitch = static_cast<uint32_t>(k_bytes * 8 / element_bits(format) * 2 + 16);
  s.k_pitch = static_cast<uint32_t>(k_bytes + 16);
  s.v_pitch = latent != 0 ? s.k_pitch : static_cast<uint32_t>(v_bytes + 16);
  s.weight_pitch = static_cast<uint32_t>(keys * 2 + 16);
  s.q_rest = static_cast<uint32_t>(rows) * s.q_pitch;
  s.weights = (is_rotated(format) ? 2 : 1) * s.q_rest;
  s.maxima = s.weights + static_cast<uint32_t>(weight_copies(format, half) * rows) * s.weight_pitch;
  s.totals = s.maxima + kWarps * kWarpRows * 4;
  s.landings = s.totals + kWarps * kWarpRows * 4;
  s.ring = s.landings + kMostSlots * 8;
  const uint32_t pitch = s.k_pitch > s.v_pitch ? s.k_pitch : s.v_pitch;
  s.slot_scales = static_cast<uint32_t>(keys) * pitch;
  // A block of 16 values of 4 bits is 8 bytes.
  s.scale_pitch = has_block_scales(format) ? (pitch - 16) / 8 : 0;
  s.slot_bytes = s.slot_scales +
                 static_cast<uint32_t>(keys) * (has_block_scales(format) ? s.scale_pitch : 2 * 4);
  return s;
}

constexpr uint32_t shared_bytes(const SharedLayout& s, int slots) {
  return s.ring + static_cast<uint32_t>(slots) * s.slot_bytes;
}

// Floats of a row of a partial result: sums, the reference that weights are powers of 2 against,
// and their sum.
constexpr int partial_width(int dim_v) {
  return dim_v + 2;
}

}  // namespace attnrt::cuda
