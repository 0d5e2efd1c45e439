// Where the rows of a range of keys stand: the block table walked once per tile.
#pragma once

#include <string.h>

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// Up to kTile keys of an item's first KV head; those of the others stand multiples of
// the head stride behind. k is filled up to a multiple of 4 with the last row: kernels read keys in
// fours.
struct KeyRows {
  const uint8_t* k[kTile];
  const uint8_t* v[kTile];
  int n;
};

// Scales of one head's rows, 1 behind n.
struct RowScales {
  alignas(64) float k[kTile];
  alignas(64) float v[kTile];
};

ATTNRT_INLINE float load_scale(const uint8_t* at) {
  float x;
  memcpy(&x, at, sizeof x);
  return x;
}

// Scales of `head` in a block.
ATTNRT_INLINE const uint8_t* scales_of(const SideView& side, int64_t block, int64_t head) {
  return side.scales + block * side.scale_block_stride + head * side.scale_head_stride;
}

inline void find_rows(const AttendParams& p, const QueryRows& q, int32_t begin, int32_t end,
                      KeyRows& rows) {
  const int64_t head = q.kv_head;
  const int32_t* table = p.batch.block_table + int64_t{q.sequence} * p.batch.block_table_stride;
  const int32_t size = p.layer.block_size;
  const bool latent = p.layer.latent != 0;
  rows.n = end - begin < kTile ? end - begin : kTile;
  int t = 0;
  int32_t column = begin / size;
  int32_t slot = begin % size;
  while (t < rows.n) {
    const int64_t block = table[column++];
    const uint8_t* k = p.k.data + block * p.k.block_stride + head * p.k.head_stride;
    const uint8_t* v = latent ? k : p.v.data + block * p.v.block_stride + head * p.v.head_stride;
    const int64_t v_stride = latent ? p.k.token_stride : p.v.token_stride;
    for (; slot < size && t < rows.n; ++slot, ++t) {
      rows.k[t] = k + slot * p.k.token_stride;
      rows.v[t] = v + slot * v_stride;
    }
    slot = 0;
  }
  for (; t < kTile && (t % 4 != 0); ++t) rows.k[t] = rows.k[rows.n - 1];
}

inline void find_scales(const AttendParams& p, int32_t sequence, int64_t head, int32_t begin, int n,
                        RowScales& scales) {
  const int32_t* table = p.batch.block_table + int64_t{sequence} * p.batch.block_table_stride;
  const int32_t size = p.layer.block_size;
  int32_t column = begin / size;
  int32_t slot = begin % size;
  for (int t = 0; t < n; slot = 0) {
    const int64_t block = table[column++];
    const uint8_t* k = scales_of(p.k, block, head);
    const uint8_t* v = scales_of(p.v, block, head);
    for (; slot < size && t < n; ++slot, ++t) {
      scales.k[t] = load_scale(k + slot * p.k.scale_token_stride);
      scales.v[t] = load_scale(v + slot * p.v.scale_token_stride);
    }
  }
  for (int t = n; t < kTile; ++t) scales.k[t] = scales.v[t] = 1.0F;
}

// Asks for rows that are needed soon while others are worked on, a few at each step: a burst would
// fill the core's miss buffers and stop it. Rows in the order of memory, heads within tokens, so
// that the hardware's own prefetcher joins in.
class Prefetcher {
 public:
  Prefetcher(const uint8_t* const* rows, int keys, int heads, int64_t head_stride, int bytes)
      : rows_(rows), left_(keys * heads), heads_(heads), head_stride_(head_stride), bytes_(bytes) {}

  void all() {
    while (left_ > 0) step();
  }

  // As many steps as there are fours of (key, head) cover the tile.
  inline __attribute__((always_inline)) void step() {
    for (int i = 0; i < 4 && left_ > 0; ++i, --left_) {
      const uint8_t* row = *rows_ + head_ * head_stride_;
      for (int b = 0; b < bytes_; b += 64) __builtin_prefetch(row + b, 0, 1);
      if (++head_ == heads_) {
        head_ = 0;
        ++rows_;
      }
    }
  }

 private:
  const uint8_t* const* rows_;
  int left_;
  int heads_;
  int head_ = 0;
  int64_t head_stride_;
  int bytes_;
};

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
