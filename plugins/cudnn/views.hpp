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
  constexpr int64_t kBytes = 2;  // an element's
  const plugin::PackedPage page{dim * kBytes, layer.kv_heads, layer.block_size, layer.hnd};
  const int64_t pages = plugin::check_packed(side, name, page, blocks);
  plugin::check_aligned(side.data, {}, name, kAlignment);
  plugin::require(blocks <= 1 || pages * blocks <= kMostPages, name, " has ", blocks, " blocks of ",
                  pages, " pages, cuDNN's plan holds ", kMostPages);
  return static_cast<int32_t>(pages);
}

// Formats of 16 bits have scales for tensors of other makers; cuDNN has no place for them.
inline void check_no_scale(const attnrt_scale& scale, const char* name) {
  plugin::require(scale.data == nullptr || scale.count == 0 || scale.host == 1.0F, name,
                  " is given; cuDNN has none for 16-bit tensors");
}

}  // namespace attnrt::cudnn
