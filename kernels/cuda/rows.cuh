// What a block's query rows are: where they stand, and which keys they see.
#pragma once

#include <math.h>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/params.hpp"

namespace attnrt::cuda {

ATTNRT_DEVICE int divide(int n, const Divisor& by) {
  const auto x = static_cast<uint32_t>(n);
  const auto high = static_cast<uint32_t>(uint64_t{x} * by.multiplier >> 32);
  return static_cast<int>((uint64_t{high} + x) >> by.shift);
}

struct RowPlace {
  int sequence;
  int query;  // of the sequence
  int head;
};

ATTNRT_DEVICE RowPlace place_of(const AttendParams& p, const QueryRows& q, int row) {
  const int token = divide(q.row_begin + row, p.group);
  const int group = static_cast<int>(p.group.d);
  const int head = q.kv_head * group + (q.row_begin + row - token * group);
  if (q.shared < 0) return {q.sequence, token, head};
  const QueryToken& of = p.batch->division.tokens[q.shared + token];
  return {of.sequence, of.query, head};
}

ATTNRT_DEVICE const uint8_t* query_row(const AttendParams& p, const QueryRows& q, int row) {
  const RowPlace at = place_of(p, q, row);
  return p.q.data + (p.batch->q_start[at.sequence] + at.query) * p.q.token_stride +
         at.head * p.q.head_stride;
}

ATTNRT_DEVICE float scale_of(const ScaleView& scale, int head) {
  return scale.count == 0 ? 1.0F : scale.data[scale.count == 1 ? 0 : head];
}

// Where the stored row of a key stands on one side of a cache, and its scales.
ATTNRT_DEVICE int64_t row_offset(const SideView& side, int64_t block, int64_t slot, int head) {
  return block * side.block_stride + slot * side.token_stride + head * side.head_stride;
}
ATTNRT_DEVICE int64_t scale_offset(const SideView& side, int64_t block, int64_t slot, int head) {
  return block * side.scale_block_stride + slot * side.scale_token_stride +
         head * side.scale_head_stride;
}

// The largest of all lanes' values, and their sum.
ATTNRT_DEVICE float largest_of_warp(float x) {
  for (int mask = 16; mask > 0; mask /= 2) x = fmaxf(x, shuffle_xor(x, mask));
  return x;
}
ATTNRT_DEVICE float sum_of_warp(float x) {
  for (int mask = 16; mask > 0; mask /= 2) x += shuffle_xor(x, mask);
  return x;
}

// The keys that a row sees: [low, high), of which those from `tree` on only where their bit is set.
struct RowMask {
  int low;
  int high;
  int tree;
  const uint8_t* bits;
};

ATTNRT_DEVICE RowMask row_mask(const AttendParams& p, int sequence, int query) {
  const int kv_len = p.batch->kv_len[sequence];
  const int q_len = p.batch->q_start[sequence + 1] - p.batch->q_start[sequence];
  const int position = kv_len - q_len + query;
  RowMask mask{0, kv_len, kv_len, nullptr};
  if (p.mask == MaskKind::kCausal) mask.high = position + 1;
  if (p.mask == MaskKind::kPrefixLm) {
    const int prefix = p.batch->prefix_len[sequence];
    mask.high = prefix > position + 1 ? prefix : position + 1;
    mask.high = mask.high < kv_len ? mask.high : kv_len;
  }
  if (p.mask == MaskKind::kTree) {
    mask.tree = kv_len - q_len;
    mask.bits =
        p.batch->tree_mask + p.batch->tree_offset[sequence] + int64_t{query} * ((q_len + 7) / 8);
  }
  if (p.window > 0 && position - p.window + 1 > 0) mask.low = position - p.window + 1;
  return mask;
}

ATTNRT_DEVICE bool visible(const RowMask& mask, int key) {
  if (key < mask.low || key >= mask.high) return false;
  if (key < mask.tree) return true;
  const int bit = key - mask.tree;
  return (mask.bits[bit >> 3] >> (bit & 7) & 1) != 0;
}

// Whether a row sees every key of [begin, end).
ATTNRT_DEVICE bool all_visible(const RowMask& mask, int begin, int end) {
  return begin >= mask.low && end <= mask.high && end <= mask.tree;
}

}  // namespace attnrt::cuda
