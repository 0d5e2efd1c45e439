// The ABI's tensors and caches as a plan of cuDNN's can take them. All throw PluginError.
//
// A plan's strides are fixed, and calls come when no plan may be made any more. So the manifest
// lists packed tensors and pages alone. Blocks may be any number of pages apart: a side's blocks
// are counted in pages of K's or V's own size, in the page tables, so that K and V may share a
// block, or layers a pool.
#pragma once

#include <attnrt/plugin/checks.hpp>

#include "layer.hpp"

namespace attnrt::cudnn {

// How many of its pages lie between two blocks of a side of `blocks` blocks.
inline int32_t pages_per_block(const attnrt_cache_side& side, const char* name,
                               const LayerShape& layer, int64_t dim, int64_t blocks) {
  using plugin::require;
  const int64_t row = dim * 2;  // bytes
  const int64_t token = layer.hnd ? row : row * layer.kv_heads;
  const int64_t head = layer.hnd ? row * layer.block_size : row;
  if ((layer.block_size > 1 && side.token_stride != token) ||
      (layer.kv_heads > 1 && side.head_stride != head)) {
    plugin::fail(
        ATTNRT_UNSUPPORTED, name, " has strides of ", side.token_stride, " and ", side.head_stride,
        " bytes between tokens and heads; this kernel's manifest lists packed pages alone: ", token,
        " and ", head);
  }
  plugin::check_aligned(side.data, {}, name, kAlignment);
  const int64_t page = row * layer.kv_heads * layer.block_size;
  if (blocks <= 1) return 1;
  const int64_t pages = side.block_stride / page;
  if (pages < 1 || side.block_stride % page != 0) {
    plugin::fail(ATTNRT_UNSUPPORTED, name, ".block_stride is ", side.block_stride,
                 " bytes; this kernel's manifest lists packed pages alone: a multiple of ", page);
  }
  require(pages * blocks <= kMostPages, name, " has ", blocks, " blocks of ", pages,
          " pages, cuDNN's plan holds ", kMostPages);
  return static_cast<int32_t>(pages);
}

// Formats of 16 bits have scales for tensors of other makers; cuDNN has no place for them.
inline void check_no_scale(const attnrt_scale& scale, const char* name) {
  plugin::require(scale.data == nullptr || scale.count == 0 || scale.host == 1.0F, name,
                  " is given; cuDNN has none for 16-bit tensors");
}

}  // namespace attnrt::cudnn
