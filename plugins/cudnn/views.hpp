// The ABI's tensors and caches as a plan of cuDNN's can take them. All throw PluginError.
//
// A plan's strides are fixed, and calls come when no plan may be made any more. So rows of q, out
// and lse stand packed, and rows within a page as their layout says. Blocks may be any number of
// pages apart: a side's blocks are counted in pages of K's or V's own size, in the page tables, so
// that K and V may share a block, or layers a pool.
#pragma once

#include <attnrt/plugin/checks.hpp>
#include <bit>

#include "layer.hpp"

namespace attnrt::cudnn {

inline constexpr int64_t kAlignment = 16;  // bytes: cuDNN's vector loads

inline void check_aligned(const void* data, const char* name) {
  plugin::require(std::bit_cast<uint64_t>(data) % kAlignment == 0, name, ".data is no multiple of ",
                  kAlignment, " bytes, which cuDNN needs");
}

// A tensor that plugin::check_tensor has passed. width: elements of a row, 1 for rank 2.
inline void check_packed(const attnrt_tensor& t, const char* name, int64_t heads, int64_t width) {
  const bool packed =
      (t.shape[0] <= 1 || t.stride[0] == heads * width) && (heads == 1 || t.stride[1] == width);
  plugin::require(packed, name, " has strides ", t.stride[0], " and ", t.stride[1],
                  " between tokens and heads, cuDNN's plan expects packed rows: ", heads * width,
                  " and ", width);
  check_aligned(t.data, name);
}

// How many of its pages lie between two blocks of a side of `blocks` blocks.
inline int32_t pages_per_block(const attnrt_cache_side& side, const char* name,
                               const LayerShape& layer, int64_t dim, int64_t blocks) {
  using plugin::require;
  const int64_t row = dim * 2;  // bytes
  const int64_t token = layer.hnd ? row : row * layer.kv_heads;
  const int64_t head = layer.hnd ? row * layer.block_size : row;
  require((layer.block_size == 1 || side.token_stride == token) &&
              (layer.kv_heads == 1 || side.head_stride == head),
          name, " has strides of ", side.token_stride, " and ", side.head_stride,
          " bytes between tokens and heads, cuDNN's plan expects packed rows: ", token, " and ",
          head);
  check_aligned(side.data, name);
  const int64_t page = row * layer.kv_heads * layer.block_size;
  if (blocks <= 1) return 1;
  const int64_t pages = side.block_stride / page;
  require(pages >= 1 && side.block_stride % page == 0, name, ".block_stride is ", side.block_stride,
          " bytes, cuDNN's plan expects a multiple of a page's, ", page);
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
