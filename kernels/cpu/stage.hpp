// Formats that are not read in place: a head's rows of a tile become bf16 in a thread's scratch,
// exactly, and what follows is what bf16 caches go through.
//
// nvfp4: e2m1 codes have 2 significant bits and their block's e4m3 scale 4, so a product has 6.
#pragma once

#include "kernels/cpu/e4m3_values.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

constexpr int kNvfp4Block = 16;

// One head's rows of a tile as bf16, `stride` values apart.
struct StagedTile {
  uint16_t* k;
  uint16_t* v;
  int64_t k_stride;
  int64_t v_stride;
  const uint8_t* k_rows[kTile];
  const uint8_t* v_rows[kTile];
};

inline void stage_nvfp4_row(const uint8_t* row, const uint8_t* scales, int dim, uint16_t* to) {
  for (int i = 0; i < dim; i += kW) {
    const Vf scale = splat(kE4m3Values.at[scales[i / kNvfp4Block]]);
    const Vf x = mul(load_e2m1(row + i / 2), scale);
    store_u16(reinterpret_cast<uint8_t*>(to + i), shr<16>(bits(x)));
  }
}

// nvfp4_swizzled: V's scales of four tokens side by side (kernels/codec/nvfp4_swizzled.h). `page`:
// those of the block's slot 0.
inline void gather_swizzled(const uint8_t* page, int64_t token_stride, int slot, int dim,
                            uint8_t* scales) {
  const int count = dim / kNvfp4Block;
  const int part = count / 4;
  const uint8_t* first = page + (slot - slot % 4) * token_stride + slot % 4;
  for (int row = 0; row < 4; ++row) {
    for (int i = 0; i < part; ++i) {
      scales[row * part + i] = first[row * token_stride + 4 * i];
    }
  }
}

// The keys [begin, begin + n) of a head: `k` and `v` say where their rows stand.
template <Format F>
inline void stage_head(const AttendParams& p, int32_t sequence, int64_t head, int32_t begin,
                       const HeadKeys& k, const HeadKeys& v, StagedTile& to) {
  static_assert(F == Format::kNvfp4 || F == Format::kNvfp4Swizzled);
  const int32_t* table = p.batch.block_table + int64_t{sequence} * p.batch.block_table_stride;
  const int32_t size = p.layer.block_size;
  int32_t column = begin / size;
  int32_t slot = begin % size;
  uint8_t gathered[kMaxDim / kNvfp4Block];
  for (int t = 0; t < k.n; slot = 0) {
    const int64_t block = table[column++];
    const uint8_t* k_scales = scales_of(p.k, block, head);
    const uint8_t* v_scales = scales_of(p.v, block, head);
    for (; slot < size && t < k.n; ++slot, ++t) {
      stage_nvfp4_row(k.rows[t] + k.offset, k_scales + slot * p.k.scale_token_stride,
                      p.layer.dim_qk, to.k + t * to.k_stride);
      const uint8_t* scales = v_scales + slot * p.v.scale_token_stride;
      if constexpr (F == Format::kNvfp4Swizzled) {
        gather_swizzled(v_scales, p.v.scale_token_stride, slot, p.layer.dim_v, gathered);
        scales = gathered;
      }
      stage_nvfp4_row(v.rows[t] + v.offset, scales, p.layer.dim_v, to.v + t * to.v_stride);
    }
  }
}

// The rows of a staged tile, as those of pages are given; K's up to a multiple of 4 (pages.hpp).
inline void list_staged(int n, StagedTile& to) {
  for (int t = 0; t < kTile; ++t) {
    const int key = t < n ? t : n - 1;
    to.k_rows[t] = reinterpret_cast<const uint8_t*>(to.k + key * to.k_stride);
    to.v_rows[t] = reinterpret_cast<const uint8_t*>(to.v + key * to.v_stride);
  }
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
