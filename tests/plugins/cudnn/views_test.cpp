// Which tensors and caches a plan takes.
#include "plugins/cudnn/views.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace attnrt::cudnn {
namespace {

using testing::HasSubstr;

LayerShape shape(bool hnd) {
  LayerShape s{};
  s.hnd = hnd;
  s.q_heads = 8;
  s.kv_heads = 2;
  s.dim_qk = s.dim_v = 64;
  s.block_size = 16;
  return s;
}
constexpr int64_t kRow = 128;  // bytes
constexpr int64_t kPage = 16 * 2 * kRow;

alignas(16) uint8_t memory[64];

attnrt_cache_side side(int64_t block, int64_t token, int64_t head) {
  return {memory, block, token, head, nullptr, 0, 0, 0};
}

std::string refusal(const attnrt_cache_side& s, const LayerShape& l, int64_t blocks = 4) {
  try {
    pages_per_block(s, "cache.k", l, 64, blocks);
  } catch (const PluginError& e) {
    // Too many blocks are the caller's doing; the rest the manifest does not list.
    EXPECT_EQ(e.status(), blocks > kMostPages ? ATTNRT_INVALID_ARGUMENT : ATTNRT_UNSUPPORTED);
    return e.what();
  }
  return {};
}

TEST(CudnnViews, CountBlocksInPages) {
  const auto nhd = [](int64_t block) {
    return pages_per_block(side(block, 2 * kRow, kRow), "cache.k", shape(false), 64, 4);
  };
  EXPECT_EQ(nhd(kPage), 1);        // K and V apart
  EXPECT_EQ(nhd(2 * kPage), 2);    // in one block
  EXPECT_EQ(nhd(64 * kPage), 64);  // of 32 layers
  EXPECT_EQ(pages_per_block(side(3 * kPage, kRow, 16 * kRow), "cache.k", shape(true), 64, 4), 3);
}

TEST(CudnnViews, RefuseWhatStridesOfAPlanCannotSay) {
  EXPECT_THAT(refusal(side(kPage + 64, 2 * kRow, kRow), shape(false)),
              HasSubstr("a multiple of 4096"));
  EXPECT_THAT(refusal(side(0, 2 * kRow, kRow), shape(false)), HasSubstr("block_stride"));
  EXPECT_THAT(refusal(side(kPage, 2 * kRow + 16, kRow), shape(false)), HasSubstr("packed"));
  EXPECT_THAT(refusal(side(kPage, 2 * kRow, kRow), shape(true)), HasSubstr("packed"));
  EXPECT_THAT(refusal(side(kPage, 2 * kRow, kRow), shape(false), int64_t{kMostPages} + 1),
              HasSubstr("holds"));
  attnrt_cache_side odd = side(kPage, 2 * kRow, kRow);
  odd.data = memory + 8;
  EXPECT_THAT(refusal(odd, shape(false)), HasSubstr("16 bytes"));
}

TEST(CudnnViews, IgnoreStridesThatAreNeverGone) {
  LayerShape one = shape(true);
  one.kv_heads = 1;
  one.block_size = 1;
  EXPECT_EQ(refusal(side(kRow, 7, 9), one), "");
  EXPECT_EQ(refusal(side(5, 2 * kRow, kRow), shape(false), 1), "");
}

}  // namespace
}  // namespace attnrt::cudnn
