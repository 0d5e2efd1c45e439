// Where the rows of a range of keys stand: the block table walked once per tile.
#pragma once

#include <string.h>

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// Up to kTile keys. The arrays behind n are filled up to a multiple of 4 with the last row (kernels
// read keys in fours) and, for scales, with 1.
struct KeyRows {
  const uint8_t* k[kTile];
  const uint8_t* v[kTile];
  alignas(64) float k_scale[kTile];
  alignas(64) float v_scale[kTile];
  int n;
};

ATTNRT_INLINE float load_scale(const SideView& side, int64_t block, int64_t slot, int64_t head) {
  float x;
  memcpy(&x,
         side.scales + block * side.scale_block_stride + slot * side.scale_token_stride +
             head * side.scale_head_stride,
         sizeof(x));
  return x;
}

template <Format F>
inline void find_rows(const AttendParams& p, const WorkItem& item, int32_t begin, int32_t end,
                      KeyRows& rows) {
  const int64_t head = item.kv_head;
  const int32_t* table = p.batch.block_table + int64_t{item.sequence} * p.batch.block_table_stride;
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
      if constexpr (F == Format::kInt8) {
        rows.k_scale[t] = load_scale(p.k, block, slot, head);
        rows.v_scale[t] = load_scale(p.v, block, slot, head);
      }
    }
    slot = 0;
  }
  for (; t < kTile && (t % 4 != 0); ++t) rows.k[t] = rows.k[rows.n - 1];
  if constexpr (F == Format::kInt8) {
    for (t = rows.n; t < kTile; ++t) rows.k_scale[t] = rows.v_scale[t] = 1.0F;
  }
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
