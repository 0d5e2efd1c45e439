// Copies of blocks touch the block's bytes and nothing else.
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "attnrt/cache.hpp"

namespace attnrt {
namespace {

TEST(BlockRuns, OfADensePageAreOneRun) {
  Result<PageLayout> page =
      page_layout({Format::kInt8PerTokenHead, CacheKind::kSeparate, {64, 64}, 3, 16}, Layout::kNhd);
  ASSERT_TRUE(page);
  std::vector<uint8_t> memory(static_cast<size_t>(page->bytes));
  const auto runs = block_runs(cache_view(*page, memory.data(), page->bytes, 1), *page);
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].base, memory.data());
  EXPECT_EQ(runs[0].bytes, page->bytes);
}

TEST(BlockRuns, KeepClearOfPaddingBetweenRows) {
  Result<PageLayout> page =
      page_layout({Format::kF16, CacheKind::kSeparate, {8, 8}, 1, 2}, Layout::kNhd);
  ASSERT_TRUE(page);
  // One tensor of rows [K 16 B | V 16 B | 8 B of somebody else], four blocks of two tokens.
  std::vector<uint8_t> memory(4 * 2 * 40);
  attnrt_cache_view view = cache_view(*page, memory.data(), 80, 4);
  view.k.token_stride = view.v.token_stride = 40;
  view.v.data = memory.data() + 16;
  const auto runs = block_runs(view, *page);
  ASSERT_EQ(runs.size(), 2u);  // K and V of a token touch
  EXPECT_EQ(runs[0].bytes, 32);

  std::iota(memory.begin(), memory.end(), uint8_t{0});
  std::vector<uint8_t> wanted = memory;
  for (size_t t = 0; t < 2; ++t) {
    for (size_t i = 0; i < 32; ++i) wanted[3 * 80 + t * 40 + i] = memory[1 * 80 + t * 40 + i];
  }
  const BlockPair pairs[] = {{1, 3}, {2, 2}};
  copy_blocks(runs, pairs);
  EXPECT_EQ(memory, wanted);
}

TEST(BlockRuns, HoldTheScalesBehindThePage) {
  for (const Format format : {Format::kNvfp4Linear, Format::kNvfp4Swizzled}) {
    Result<PageLayout> page =
        page_layout({format, CacheKind::kSeparate, {64, 64}, 2, 16}, Layout::kNhd);
    ASSERT_TRUE(page);
    std::vector<uint8_t> memory(static_cast<size_t>(page->bytes));
    const auto runs = block_runs(cache_view(*page, memory.data(), page->bytes, 1), *page);
    ASSERT_EQ(runs.size(), 1u) << name(format);
    EXPECT_EQ(runs[0].bytes, page->bytes) << name(format);
  }
}

}  // namespace
}  // namespace attnrt
