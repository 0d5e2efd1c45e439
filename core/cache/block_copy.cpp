// Copies of blocks as bytes: rows and scales, and nothing between them.
#include <algorithm>
#include <cstring>

#include "attnrt/cache.hpp"

namespace attnrt {
namespace {

struct Rows {
  void* data;
  int64_t block_stride, token_stride, head_stride, bytes;
};

void add_rows(const Rows& rows, int32_t tokens, int32_t heads, std::vector<BlockRun>& out) {
  for (int32_t token = 0; token < tokens; ++token) {
    for (int32_t head = 0; head < heads; ++head) {
      uint8_t* row =
          static_cast<uint8_t*>(rows.data) + token * rows.token_stride + head * rows.head_stride;
      out.push_back({row, rows.block_stride, rows.bytes});
    }
  }
}

void add_side(const attnrt_cache_side& side, const SideLayout& layout, int32_t tokens,
              int32_t heads, std::vector<BlockRun>& out) {
  if (side.data == nullptr) return;
  add_rows({side.data, side.block_stride, side.token_stride, side.head_stride, layout.row_bytes},
           tokens, heads, out);
  if (layout.scale_row_bytes == 0 || side.scales == nullptr) return;
  add_rows({side.scales, side.scale_block_stride, side.scale_token_stride, side.scale_head_stride,
            layout.scale_row_bytes},
           tokens, heads, out);
}

}  // namespace

std::vector<BlockRun> block_runs(const attnrt_cache_view& view, const PageLayout& layout) {
  std::vector<BlockRun> rows;
  add_side(view.k, layout.k, view.block_size, view.heads, rows);
  add_side(view.v, layout.v, view.block_size, view.heads, rows);
  std::sort(rows.begin(), rows.end(),
            [](const BlockRun& a, const BlockRun& b) { return a.base < b.base; });
  std::vector<BlockRun> runs;
  for (const BlockRun& row : rows) {
    const bool joins = !runs.empty() && runs.back().block_stride == row.block_stride &&
                       runs.back().base + runs.back().bytes == row.base;
    if (joins) {
      runs.back().bytes += row.bytes;
    } else {
      runs.push_back(row);
    }
  }
  return runs;
}

void copy_blocks(std::span<const BlockRun> runs, std::span<const BlockPair> pairs) {
  for (const BlockPair& pair : pairs) {
    if (pair.from == pair.to) continue;
    for (const BlockRun& run : runs) {
      std::memcpy(run.base + pair.to * run.block_stride, run.base + pair.from * run.block_stride,
                  static_cast<size_t>(run.bytes));
    }
  }
}

}  // namespace attnrt
