#include "attnrt/pool.hpp"

#include <algorithm>
#include <limits>

namespace attnrt {
namespace {

constexpr int64_t kMostBlocksOfLargest = 16;  // a chunk holds so many blocks of the largest group
constexpr double kGoodWaste = 0.02;           // take the first chunk size that wastes no more

int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// The most equal, aligned parts of a chunk that hold `block` bytes each.
int64_t parts_of(int64_t chunk, int64_t block) {
  int64_t parts = chunk / block;
  while (chunk % (parts * kPoolAlignment) != 0) --parts;  // ends at 1: chunks are aligned
  return parts;
}

// The largest part of a block that is padding.
double cut(std::vector<PoolGroup>& groups, int64_t chunk) {
  double waste = 0;
  for (PoolGroup& g : groups) {
    const int64_t block = g.layers * g.page_stride;
    const int64_t parts = parts_of(chunk, block);
    g.blocks_per_chunk = static_cast<int32_t>(parts);
    g.block_stride = chunk / parts;
    waste =
        std::max(waste, static_cast<double>(g.block_stride - block) / static_cast<double>(block));
  }
  return waste;
}

}  // namespace

PoolLayout pool_layout(std::vector<PoolGroup> groups) {
  int64_t largest = 0;
  for (PoolGroup& g : groups) {
    g.page_stride = round_up(g.page_bytes, kPoolAlignment);
    largest = std::max(largest, g.layers * g.page_stride);
  }
  PoolLayout best;
  double least = std::numeric_limits<double>::infinity();
  for (int64_t k = 1; k <= kMostBlocksOfLargest && least > kGoodWaste; ++k) {
    const double waste = cut(groups, k * largest);
    if (waste >= least) continue;
    least = waste;
    best = PoolLayout{k * largest, groups};
  }
  return best;
}

int64_t chunks_for(const PoolLayout& layout, int64_t blocks) {
  int64_t chunks = 0;
  for (const PoolGroup& g : layout.groups) {
    chunks += (blocks + g.blocks_per_chunk - 1) / g.blocks_per_chunk;
  }
  return chunks;
}

double bytes_per_token(const PoolGroup& cut, int32_t block_size) {
  return static_cast<double>(cut.block_stride) / block_size;
}

}  // namespace attnrt
