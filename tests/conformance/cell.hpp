// A cell: one point of a kernel's box, with the shape of a batch and of the pages to try it on.
#pragma once

#include <string>

#include "attnrt/manifest.hpp"
#include "attnrt/select.hpp"

namespace attnrt::conformance {

// How the sequences of a batch look. Lengths are chosen around the block size.
enum class BatchShape : uint8_t {
  kSingleToken,   // one sequence of length 1
  kBlockEdges,    // kv_len of block-1, block, block+1 and 3 blocks
  kRagged,        // mixed lengths with empty sequences among them
  kEmpty,         // no sequence at all
  kLongContext,   // one long sequence among short ones: what a split over the context meets
  kSharedPrefix,  // all sequences begin with the same blocks
};
inline constexpr BatchShape kBatchShapes[] = {BatchShape::kSingleToken, BatchShape::kBlockEdges,
                                              BatchShape::kRagged,      BatchShape::kEmpty,
                                              BatchShape::kLongContext, BatchShape::kSharedPrefix};

// How pages lie in memory; the bytes between them are poisoned and must stay so.
enum class PageShape : uint8_t {
  kTight,       // K and V one after the other in each page, nothing between
  kPadded,      // odd paddings between blocks, tokens and heads (where rows allow it), as far as
                // the kernel lists strided pages
  kTwoTensors,  // K and V in tensors of their own
};
inline constexpr PageShape kPageShapes[] = {PageShape::kTight, PageShape::kPadded,
                                            PageShape::kTwoTensors};

// What the numbers look like.
enum class Fill : uint8_t {
  kNormal,    // standard normal
  kOutliers,  // one element of a row in a hundred times larger, rows of zeros, equal rows
  kSpecial,   // normal, with NaN and infinities in a few rows
  kStrided,   // normal, with q, k, v and out as slices of wider tensors, as far as listed
};
inline constexpr Fill kFills[] = {Fill::kNormal, Fill::kOutliers, Fill::kSpecial, Fill::kStrided};

struct Cell {
  std::string kernel;
  Op op = Op::kDecode;
  DType q = DType::kF32;
  DType out = DType::kF32;
  Format kv = Format::kF32;
  CacheKind cache = CacheKind::kSeparate;
  HeadDim head_dim;
  int32_t block_size = 16;
  Layout layout = Layout::kNhd;
  int32_t group = 1;
  int32_t kv_heads = 1;
  int32_t query_tokens = 1;  // decode: per sequence, at the most
  Features features;
  BatchShape batch = BatchShape::kRagged;
  PageShape pages = PageShape::kTight;
  Fill fill = Fill::kNormal;
  uint32_t seed = 1;
  int32_t alignment = 4;      // bytes, the kernel's, at least 4: paddings are multiples of it
  bool whole_blocks = false;  // blocks begin whole pages of K and V apart: packed pages alone
  // Bytes that tensors and pages begin behind an aligned address: for what must be refused.
  int32_t tensor_shift = 0;
  int32_t page_shift = 0;
};

// Elements between the rows of the cell's tensors of that type.
int64_t padding_of(const Cell& cell, DType dtype);

// Whether rows stand rotated: then a value's error, and an infinity, is in all values of its row.
inline bool is_rotated(Format format) {
  return format == Format::kInt4PerTokenHead || format == Format::kInt4PerTokenHeadZp;
}

std::string to_string(const Cell& cell);
Request to_request(const Cell& cell, const Device& device);

}  // namespace attnrt::conformance
