#include "attnrt/pool.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace attnrt {
namespace {

constexpr int64_t kMostBlocksOfLargest = 16;  // a chunk holds so many blocks of the largest group
constexpr double kGoodWaste = 0.02;           // take the first chunk size that wastes no more

int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// What the blocks of a group are multiples of.
int64_t unit_of(const PoolGroup& g) {
  return std::lcm(g.whole_bytes, kPoolAlignment);
}

// The most equal parts of a chunk that hold `block` bytes each, in whole units.
int64_t parts_of(int64_t chunk, int64_t block, int64_t unit) {
  int64_t parts = chunk / block;
  while (chunk % (parts * unit) != 0) --parts;  // ends at 1: chunks are multiples of every unit
  return parts;
}

// The largest part of a block that is padding.
double cut(std::vector<PoolGroup>& groups, int64_t chunk) {
  double waste = 0;
  for (PoolGroup& g : groups) {
    const int64_t block = g.layers * g.page_stride;
    const int64_t parts = parts_of(chunk, block, unit_of(g));
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
  int64_t unit = kPoolAlignment;
  for (PoolGroup& g : groups) {
    g.page_stride = round_up(g.page_bytes, kPoolAlignment);
    largest = std::max(largest, g.layers * g.page_stride);
    unit = std::lcm(unit, unit_of(g));
  }
  PoolLayout best;
  double least = std::numeric_limits<double>::infinity();
  for (int64_t k = 1; k <= kMostBlocksOfLargest && least > kGoodWaste; ++k) {
    const int64_t chunk = round_up(k * largest, unit);
    const double waste = cut(groups, chunk);
    if (waste >= least) continue;
    least = waste;
    best = PoolLayout{chunk, groups};
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
