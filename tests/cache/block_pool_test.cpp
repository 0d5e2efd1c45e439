// The pool: groups of different pages share memory; no block is handed out twice.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

#include "attnrt/blocks.hpp"

namespace attnrt {
namespace {

PoolGroup group(int32_t layers, int64_t page_bytes) {
  PoolGroup g;
  g.layers = layers;
  g.page_bytes = page_bytes;
  return g;
}

double waste(const PoolGroup& g) {
  const double used = static_cast<double>(g.layers) * static_cast<double>(g.page_bytes);
  return static_cast<double>(g.block_stride) / used - 1;
}

TEST(PoolLayout, CutsChunksIntoEqualPartsThatHoldEveryGroupsBlocks) {
  const std::vector<std::vector<PoolGroup>> pools = {
      {group(32, 65536)},
      {group(15, 16384), group(3, 16384)},                    // 5 local : 1 global
      {group(15, 8320), group(3, 16384)},                     // int8 beside bf16
      {group(27, 4096), group(4, 8192), group(1, 4 * 4096)},  // skipped layers
      {group(31, 4160), group(30, 4224)},
      {group(1, 100), group(1, 1)},
  };
  for (const auto& groups : pools) {
    const PoolLayout pool = pool_layout(groups);
    for (size_t i = 0; i < groups.size(); ++i) {
      const PoolGroup& g = pool.groups[i];
      EXPECT_GE(g.page_stride, groups[i].page_bytes);
      EXPECT_EQ(g.page_stride % kPoolAlignment, 0);
      EXPECT_EQ(g.block_stride % kPoolAlignment, 0);
      EXPECT_GE(g.block_stride, g.layers * g.page_stride);
      EXPECT_EQ(g.block_stride * g.blocks_per_chunk, pool.chunk_bytes);
      if (g.page_bytes >= 4096) {
        EXPECT_LT(waste(g), 0.06) << i;
      }
    }
  }
}

TEST(PoolLayout, BeginsBlocksWholePagesApartWhereAGroupAsksForIt) {
  // Sizes that share few factors: alone, a block's stride would be cut to fill the chunk.
  const std::vector<std::vector<PoolGroup>> pools = {
      {group(15, 16384), group(3, 16384)},
      {group(22, 40960), group(4, 65536)},
      {group(5, 65536), group(7, 12288), group(1, 640)},
  };
  int changed = 0;
  for (std::vector<PoolGroup> groups : pools) {
    const PoolLayout without = pool_layout(groups);
    for (PoolGroup& g : groups) g.whole_bytes = g.page_bytes / 2;
    const PoolLayout pool = pool_layout(groups);
    for (size_t i = 0; i < groups.size(); ++i) {
      const PoolGroup& g = pool.groups[i];
      EXPECT_EQ(g.block_stride % (g.page_bytes / 2), 0) << i;
      EXPECT_EQ(g.block_stride % kPoolAlignment, 0) << i;
      EXPECT_GE(g.block_stride, g.layers * g.page_stride) << i;
      EXPECT_EQ(g.block_stride * g.blocks_per_chunk, pool.chunk_bytes) << i;
      changed += without.groups[i].block_stride % (g.page_bytes / 2) != 0;
    }
  }
  EXPECT_GT(changed, 0);
}

TEST(PoolLayout, OfEqualPagesHasNoPadding) {
  const PoolLayout pool = pool_layout({group(15, 16384), group(3, 16384)});
  EXPECT_EQ(pool.groups[0].block_stride, 15 * 16384);
  EXPECT_EQ(pool.groups[1].block_stride, 3 * 16384);
}

TEST(BlockPool, HandsOutEveryBlockOnceAndThenSaysThatItIsFull) {
  BlockPool pool(pool_layout({group(1, 4096)}), 8);
  std::map<int32_t, int> seen;
  for (int i = 0; i < 8; ++i) {
    Result<int32_t> block = pool.allocate(0);
    ASSERT_TRUE(block);
    EXPECT_GE(*block, 0);
    EXPECT_LT(*block, pool.blocks(0));
    EXPECT_EQ(++seen[*block], 1);
  }
  Result<int32_t> none = pool.allocate(0);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kInvalid);
  pool.release(0, 3);
  EXPECT_EQ(*pool.allocate(0), 3);
}

TEST(BlockPool, KeepsABlockUntilItsLastUserReleasesIt) {
  BlockPool pool(pool_layout({group(1, 64)}), 1);
  const int32_t block = *pool.allocate(0);
  pool.share(0, block);
  EXPECT_EQ(pool.users(0, block), 2);
  pool.release(0, block);
  EXPECT_EQ(pool.available(0), 0);
  pool.release(0, block);
  EXPECT_EQ(pool.available(0), 1);
}

TEST(BlockPool, LetsAGroupTakeWhatAnotherHasGivenBack) {
  BlockPool pool(pool_layout({group(4, 1024), group(1, 1024)}), 2);
  ASSERT_EQ(pool.blocks(0), 2);
  ASSERT_EQ(pool.blocks(1), 8);
  const int32_t a = *pool.allocate(0);
  const int32_t b = *pool.allocate(0);
  EXPECT_FALSE(pool.allocate(1));
  EXPECT_EQ(pool.available(1), 0);
  pool.release(0, a);
  EXPECT_EQ(pool.available(1), 4);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(pool.allocate(1));
  EXPECT_FALSE(pool.allocate(1));
  EXPECT_FALSE(pool.allocate(0));
  pool.release(0, b);
  EXPECT_TRUE(pool.allocate(0));
}

// The bytes of two live blocks never overlap, whatever the order of events.
TEST(BlockPool, NeverLendsTheSameBytesTwice) {
  const PoolLayout layout = pool_layout({group(3, 8320), group(2, 16384), group(1, 640)});
  BlockPool pool(layout, 6);
  std::vector<std::pair<uint32_t, int32_t>> live;
  std::map<int64_t, int64_t> ranges;  // begin -> end
  std::mt19937 random(7);
  int64_t allocated = 0;
  for (int i = 0; i < 5000; ++i) {
    if (random() % 5 < 3) {
      const uint32_t g = static_cast<uint32_t>(random() % 3);
      const int64_t available = pool.available(g);
      Result<int32_t> block = pool.allocate(g);
      ASSERT_EQ(block.ok(), available > 0);
      if (!block) continue;
      const int64_t begin = *block * layout.groups[g].block_stride;
      const int64_t end = begin + layout.groups[g].block_stride;
      ASSERT_LE(end, pool.bytes());
      auto next = ranges.lower_bound(begin);
      ASSERT_TRUE(next == ranges.end() || next->first >= end);
      ASSERT_TRUE(next == ranges.begin() || std::prev(next)->second <= begin);
      ranges[begin] = end;
      live.emplace_back(g, *block);
      ++allocated;
    } else if (!live.empty()) {
      std::swap(live[random() % live.size()], live.back());
      const auto [g, block] = live.back();
      live.pop_back();
      ranges.erase(block * layout.groups[g].block_stride);
      pool.release(g, block);
    }
  }
  EXPECT_GT(allocated, 1000);
}

TEST(ChunksFor, HoldThatManyBlocksOfEveryGroup) {
  const PoolLayout layout = pool_layout({group(15, 8320), group(3, 16384)});
  BlockPool pool(layout, chunks_for(layout, 10));
  for (uint32_t g = 0; g < 2; ++g) {
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(pool.allocate(g)) << g << " " << i;
  }
}

}  // namespace
}  // namespace attnrt
