// Paged caches: where the bytes of a page stand, views over anybody's memory, copies of blocks, and
// the checks of a batch before a plugin sees it.
//
// Everything here is layout arithmetic on values: pure, thread-safe (a BatchChecker: one thread at
// a time) and without memory of its own; the caller owns what the views point at. Units are bytes
// unless a name says otherwise; all offsets are 64-bit. blocks.hpp hands out block ids.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "attnrt/format.hpp"
#include "attnrt/plugin.h"
#include "attnrt/result.hpp"

namespace attnrt {

// One side (K, V, or the latent) of a page. Row (token, head) begins at
// data_offset + token * token_stride + head * head_stride; its scales likewise.
struct SideLayout {
  int64_t data_offset = 0;  // from the page's first byte
  int64_t token_stride = 0;
  int64_t head_stride = 0;
  int64_t row_bytes = 0;      // data, with scales that stand in the row
  int64_t scale_offset = -1;  // -1: the format keeps no scales of its own
  int64_t scale_token_stride = 0;
  int64_t scale_head_stride = 0;
  int64_t scale_row_bytes = 0;  // of scales behind the page's rows; 0: none there
};

// A page of one layer: `block_size` tokens, K before V. latent: v is unused.
struct PageLayout {
  PageGeometry geometry;
  Layout layout = Layout::kNhd;
  SideLayout k;
  SideLayout v;
  int64_t bytes = 0;  // equals page_bytes(geometry)
};
// Errors: geometry that page_bytes refuses, latent formats with more than one head.
Result<PageLayout> page_layout(const PageGeometry& geometry, Layout layout);

// A view of `blocks` pages that begin at first_page, block_stride bytes apart (at least
// layout.bytes, else the pages would overlap). Scales are 1.
attnrt_cache_view cache_view(const PageLayout& layout, void* first_page, int64_t block_stride,
                             int64_t blocks);

// What an engine tells planning about a cache of its own (Request::pages, alignment): whether rows
// stand as in the layout's page and blocks whole pages of each side apart; and the bytes, a power
// of two up to 4096, of which all pointers and strides of the view's data are multiples.
bool is_packed(const attnrt_cache_view& view, const PageLayout& layout);
int32_t alignment_of(const attnrt_cache_view& view);

// The bytes that belong to a block, as contiguous runs: the run of block b is
// [base + b * block_stride, + bytes). Padding between rows or sides belongs to nobody and is left
// alone. Works for any view, also an engine's own tensors.
struct BlockRun {
  uint8_t* base = nullptr;
  int64_t block_stride = 0;
  int64_t bytes = 0;
};
std::vector<BlockRun> block_runs(const attnrt_cache_view& view, const PageLayout& layout);

struct BlockPair {
  int32_t from = 0;
  int32_t to = 0;
};
// Host memory only; pairs in order. Precondition: ids are valid.
void copy_blocks(std::span<const BlockRun> runs, std::span<const BlockPair> pairs);

// What a batch of one cache group may hold.
struct BatchLimits {
  int64_t blocks = 0;      // ids 0 … blocks - 1
  int32_t block_size = 1;  // tokens
  int32_t window = 0;      // tokens; 0: full attention (or a mask that sees beyond it)
  bool prefix_lm = false;
  bool tree_mask = false;
  attnrt_bounds bounds{};  // upper bounds of the session; 0 in a field: unbounded
};

// Checks host copies of ids, lengths and slots; arrays that exist only on the device are not looked
// at. Entries of the block table beyond kv_len, or wholly outside the window of the sequence's
// first query, are neither read nor checked. Errors (kInvalid) name the array, sequence, index,
// what was found and what is allowed. Keeps scratch between calls: no allocation once it has grown.
class BatchChecker {
 public:
  Status check(const attnrt_batch& batch, const BatchLimits& limits);

 private:
  Status check_slots(const attnrt_batch& batch, const BatchLimits& limits);
  std::vector<int64_t> seen_;  // open-addressing set of tokens, by their slots
};

// The first block-table entry that a sequence's queries can need: 0 without a window.
int64_t first_needed_block(int64_t kv_len, int64_t q_len, int32_t window, int32_t block_size);

}  // namespace attnrt
