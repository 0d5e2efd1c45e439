// append: rows of k and v, rounded to the cache's format, into their slots. A warp a row; every
// element goes through the codec's own definition, so the bytes are the codec's.
#pragma once

#include "kernels/codec/bf16.h"
#include "kernels/codec/f16.h"
#include "kernels/codec/fp8_ds_mla_v32.h"
#include "kernels/codec/fp8_e4m3.h"
#include "kernels/codec/fp8_e5m2.h"
#include "kernels/codec/fp8_per_token_head.h"
#include "kernels/codec/int4_per_token_head.h"
#include "kernels/codec/int8_per_token_head.h"
#include "kernels/codec/nvfp4_swizzled.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/params.hpp"
#include "kernels/cuda/rotate.cuh"
#include "kernels/cuda/rows.cuh"

namespace attnrt::cuda {

constexpr int kAppendThreads = 128;

ATTNRT_DEVICE float load_element(const DenseView& view, const uint8_t* row, int i) {
  if (view.dtype == Dtype::kF16)
    return half_to_float<F16>(reinterpret_cast<const uint16_t*>(row)[i]);
  return half_to_float<Bf16>(reinterpret_cast<const uint16_t*>(row)[i]);
}

// A value over the tensor's or its row's scale as the format's code.
template <Format kFormat>
ATTNRT_DEVICE void store_element(uint8_t* row, int i, float x, float scale) {
  if constexpr (kFormat == Format::kF16) {
    reinterpret_cast<uint16_t*>(row)[i] = codec::F16::encode(x / scale);
  } else if constexpr (kFormat == Format::kBf16) {
    reinterpret_cast<uint16_t*>(row)[i] = codec::Bf16::encode(x / scale);
  } else if constexpr (kFormat == Format::kE4m3) {
    row[i] = codec::Fp8E4M3::encode(x / scale);
  } else if constexpr (kFormat == Format::kE5m2) {
    row[i] = codec::Fp8E5M2::encode(x / scale);
  } else {
    row[i] = static_cast<uint8_t>(codec::Int8PerTokenHead::encode(x, scale));
  }
}

// The scale that brings a row's largest magnitude to the largest code.
template <Format kFormat>
ATTNRT_DEVICE float row_scale(const DenseView& view, const uint8_t* from, int dim, int lane) {
  float largest = 0.0F;
  for (int i = lane; i < dim; i += 32) {
    const float m = codec::magnitude(load_element(view, from, i));
    if (m > largest) largest = m;  // false for NaN
  }
  largest = largest_of_warp(largest > codec::kMaxFloat ? codec::kMaxFloat : largest);
  return kFormat == Format::kInt8 ? codec::Int8PerTokenHead::scale_for(largest)
                                  : codec::Fp8PerTokenHead::scale_for(largest);
}

ATTNRT_DEVICE void count_lost(const AppendParams& p, int lost) {
  if (lost > 0 && p.nan_count != nullptr) {
    add_counter(p.nan_count, static_cast<unsigned long long>(lost));
  }
}

// A row of one head: what is read, and its place in the cache.
struct RowPlaces {
  const uint8_t* values;
  uint8_t* row;
  int64_t block;
  int64_t slot;
};
// Of a token and head; false: the token is skipped.
ATTNRT_DEVICE bool find_row(const AppendParams& p, const DenseView& from, const SideView& side,
                            int64_t token, int head, RowPlaces& to) {
  const int64_t at = p.slots[token];
  if (at < 0) return false;
  to.block = at / p.block_size;
  to.slot = at - to.block * p.block_size;
  to.values = from.data + token * from.token_stride + head * from.head_stride;
  to.row = side.data + row_offset(side, to.block, to.slot, head);
  return true;
}

template <Format kFormat>
ATTNRT_DEVICE void append_row(const AppendParams& p, const DenseView& from, const SideView& side,
                              const ScaleView& scales, int dim, int64_t token, int head) {
  RowPlaces at;
  if (!find_row(p, from, side, token, head, at)) return;
  const int lane = thread_index() % 32;
  float scale = scale_of(scales, head);
  if (side.scales != nullptr) {
    scale = row_scale<kFormat>(from, at.values, dim, lane);
    if (lane == 0) {
      *reinterpret_cast<float*>(side.scales + scale_offset(side, at.block, at.slot, head)) = scale;
    }
  }
  int lost = 0;
  for (int i = lane; i < dim; i += 32) {
    const float value = load_element(from, at.values, i);
    lost += codec::is_nan(value) ? 1 : 0;
    store_element<kFormat>(at.row, i, value, scale);
  }
  // int8 has no NaN; the others store it as what it is.
  if constexpr (kFormat == Format::kInt8) count_lost(p, lost);
}

// A lane a block of 16: its scale, its codes.
ATTNRT_DEVICE void append_blocks(const AppendParams& p, const DenseView& from, const SideView& side,
                                 const ScaleView& scales, int dim, int64_t token, int head,
                                 bool swizzled) {
  RowPlaces at;
  const int s = thread_index() % 32;
  const int blocks = dim / kScaledBlock;
  if (s >= blocks || !find_row(p, from, side, token, head, at)) return;
  const auto slot = static_cast<int32_t>(at.slot);
  const float scale = scale_of(scales, head);
  float x[kScaledBlock];
  for (int i = 0; i < kScaledBlock; ++i) {
    x[i] = load_element(from, at.values, s * kScaledBlock + i) / scale;
  }
  const codec::ScalePlace place =
      swizzled ? codec::nvfp4_swizzle(slot, s, blocks) : codec::ScalePlace{slot, s};
  const uint8_t code = codec::nvfp4_scale_code(x);
  side.scales[scale_offset(side, at.block, place.token, head) + place.byte] = code;
  count_lost(p, codec::nvfp4_pack(x, code, at.row + s * (kScaledBlock / 2)));
}

// Stretches of e4m3, each with its scale, and bf16 behind them.
ATTNRT_DEVICE void append_stretches(const AppendParams& p, const DenseView& from,
                                    const SideView& side, int dim, int64_t token, int head) {
  using Codec = codec::Fp8DsMlaV32;
  static_assert(Codec::kTile == kStretch && Codec::kRopeOffset == kUnscaledAt);
  constexpr int kValues = kStretch / 32;  // of a lane
  RowPlaces at;
  if (!find_row(p, from, side, token, head, at)) return;
  const int lane = thread_index() % 32;
  auto* scales =
      reinterpret_cast<float*>(side.scales + scale_offset(side, at.block, at.slot, head));
  for (int t = 0; t < kStretches; ++t) {
    float x[kValues];
    for (int i = 0; i < kValues; ++i) {
      x[i] = load_element(from, at.values, t * kStretch + i * 32 + lane);
    }
    const float scale = codec::larger(
        largest_of_warp(codec::absmax(x, kValues)) / codec::Fp8E4M3::kMax, codec::kMinNormalFloat);
    if (lane == 0) scales[t] = scale;
    for (int i = 0; i < kValues; ++i) {
      at.row[t * kStretch + i * 32 + lane] = codec::Fp8E4M3::encode(x[i] / scale);
    }
  }
  auto* unscaled = reinterpret_cast<uint16_t*>(at.row + kUnscaledAt);
  for (int i = lane; i < dim - kStretched; i += 32) {
    unscaled[i] = codec::Bf16::encode(load_element(from, at.values, kStretched + i));
  }
}

// Rotated in registers, of which lane l has every 32nd value from l on; a byte's two codes are
// neighbours'.
ATTNRT_DEVICE void append_rotated(const AppendParams& p, const DenseView& from,
                                  const SideView& side, int dim, int64_t token, int head) {
  constexpr int kColumns = 512 / 32;
  RowPlaces at;
  if (!find_row(p, from, side, token, head, at)) return;
  const int lane = thread_index() % 32;
  const float limit = codec::kMaxFloat / static_cast<float>(2 * dim);
  int lost = 0;
  float y[kColumns] = {};
  ATTNRT_UNROLL
  for (int c = 0; c < kColumns; ++c) {
    if (c * 32 >= dim) continue;
    const float x = load_element(from, at.values, c * 32 + lane);
    lost += codec::is_nan(x) ? 1 : 0;
    y[c] = codec::is_nan(x) ? 0.0F : codec::clamped(x, -limit, limit);
  }
  count_lost(p, lost);
  rotate_row(y, dim);
  float low = y[0];
  float high = y[0];
  ATTNRT_UNROLL
  for (int c = 1; c < kColumns; ++c) {
    if (c * 32 >= dim) continue;
    low = fminf(low, y[c]);
    high = fmaxf(high, y[c]);
  }
  const codec::Int4Factors factors =
      codec::int4_factors(-largest_of_warp(-low), largest_of_warp(high));
  if (lane == 0) {
    *reinterpret_cast<uint32_t*>(side.scales + scale_offset(side, at.block, at.slot, head)) =
        codec::int4_factor_bits(factors);
  }
  ATTNRT_UNROLL
  for (int c = 0; c < kColumns; ++c) {
    if (c * 32 >= dim) continue;
    const auto code = static_cast<float>(codec::int4_code(y[c], factors));
    const float next = shuffle_xor(code, 1);
    if (lane % 2 == 0) at.row[c * 16 + lane / 2] = static_cast<uint8_t>(code + 16.0F * next);
  }
}

template <Format kFormat>
ATTNRT_KERNEL(kAppendThreads, 1)
append(const ATTNRT_ARGUMENT AppendParams p) {
  const int64_t warp = (int64_t{block_index()} * kAppendThreads + thread_index()) / 32;
  const int64_t rows = p.tokens * p.heads;
  const int64_t row = warp < rows ? warp : warp - rows;
  if (row >= rows || (warp >= rows && p.dim_v == 0)) return;
  const int64_t token = row / p.heads;
  const int head = static_cast<int>(row - token * p.heads);
  const bool keys = warp < rows;
  const DenseView& from = keys ? p.k : p.v;
  const SideView& side = keys ? p.k_side : p.v_side;
  const ScaleView& scale = keys ? p.k_scale : p.v_scale;
  const int dim = keys ? p.dim_k : p.dim_v;
  if constexpr (has_block_scales(kFormat)) {
    append_blocks(p, from, side, scale, dim, token, head, !keys && p.swizzled != 0);
  } else if constexpr (has_stretches(kFormat)) {
    append_stretches(p, from, side, dim, token, head);
  } else if constexpr (is_rotated(kFormat)) {
    append_rotated(p, from, side, dim, token, head);
  } else {
    append_row<kFormat>(p, from, side, scale, dim, token, head);
  }
}

}  // namespace attnrt::cuda
