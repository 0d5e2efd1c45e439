// Where rows and scales stand in a page, for every format whose bytes are known.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "attnrt/cache.hpp"

namespace attnrt {
namespace {

PageGeometry geometry(Format format, int32_t heads = 2, int32_t block = 16) {
  const FormatInfo& f = info(format);
  if (f.latent_only) return {format, CacheKind::kLatent, f.fixed_head_dim, 1, block};
  return {format, CacheKind::kSeparate, {64, 32}, heads, block};
}

// Counts how often each byte of the page belongs to a row or to scales behind the rows.
void count_side(const SideLayout& side, const PageGeometry& g, std::vector<int>& uses) {
  for (int32_t t = 0; t < g.block_size; ++t) {
    for (int32_t h = 0; h < g.kv_heads; ++h) {
      const int64_t row = side.data_offset + t * side.token_stride + h * side.head_stride;
      for (int64_t i = 0; i < side.row_bytes; ++i) ++uses.at(static_cast<size_t>(row + i));
      if (side.scale_row_bytes == 0) continue;
      const int64_t scale =
          side.scale_offset + h * side.scale_head_stride + t * side.scale_token_stride;
      for (int64_t i = 0; i < side.scale_row_bytes; ++i) ++uses.at(static_cast<size_t>(scale + i));
    }
  }
}

TEST(PageLayout, EveryByteOfAPageBelongsToAtMostOneRowAndOnlyRoundingToNone) {
  int checked = 0;
  for (const FormatInfo& f : all_formats()) {
    if (!f.byte_layout_known) continue;
    for (const Layout layout : {Layout::kNhd, Layout::kHnd}) {
      const PageGeometry g = geometry(f.format);
      Result<PageLayout> page = page_layout(g, layout);
      ASSERT_TRUE(page) << f.name << ": " << to_string(page.error());
      ASSERT_EQ(page->bytes, *page_bytes(g)) << f.name;
      std::vector<int> uses(static_cast<size_t>(page->bytes), 0);
      count_side(page->k, g, uses);
      if (g.cache == CacheKind::kSeparate) count_side(page->v, g, uses);
      int64_t unused = 0;
      for (const int n : uses) {
        ASSERT_LE(n, 1) << f.name;
        unused += n == 0;
      }
      EXPECT_LT(unused, f.page_multiple) << f.name;
      ++checked;
    }
  }
  EXPECT_EQ(checked, 2 * 17);
}

TEST(PageLayout, NhdPutsHeadsSideBySideAndHndTokens) {
  Result<PageLayout> nhd = page_layout(geometry(Format::kBf16), Layout::kNhd);
  Result<PageLayout> hnd = page_layout(geometry(Format::kBf16), Layout::kHnd);
  ASSERT_TRUE(nhd && hnd);
  EXPECT_EQ(nhd->k.head_stride, 128);
  EXPECT_EQ(nhd->k.token_stride, 256);
  EXPECT_EQ(hnd->k.head_stride, 16 * 128);
  EXPECT_EQ(hnd->k.token_stride, 128);
  EXPECT_EQ(nhd->v.data_offset, 16 * 2 * 128);
  EXPECT_EQ(nhd->v.token_stride, 128);
  EXPECT_EQ(nhd->k.scale_offset, -1);
}

TEST(PageLayout, InlineScalesFollowTheRowWithItsStrides) {
  Result<PageLayout> page = page_layout(geometry(Format::kInt8PerTokenHead), Layout::kNhd);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->k.row_bytes, 68);
  EXPECT_EQ(page->k.scale_offset, 64);
  EXPECT_EQ(page->k.scale_token_stride, page->k.token_stride);
  Result<PageLayout> zp = page_layout(geometry(Format::kInt4PerTokenHeadZp), Layout::kNhd);
  ASSERT_TRUE(zp);
  EXPECT_EQ(zp->k.row_bytes, 32 + 8);
  EXPECT_EQ(zp->k.scale_offset, 32);
}

TEST(PageLayout, Nvfp4KeepsTheScalesOfASideBehindItsRows) {
  Result<PageLayout> page = page_layout(geometry(Format::kNvfp4Linear), Layout::kNhd);
  ASSERT_TRUE(page);
  const int64_t rows = 16 * 2;
  EXPECT_EQ(page->k.scale_offset, rows * 32);
  EXPECT_EQ(page->k.scale_token_stride, 2 * 4);
  EXPECT_EQ(page->k.scale_head_stride, 4);
  EXPECT_EQ(page->v.data_offset, rows * (32 + 4));
  EXPECT_EQ(page->v.scale_offset, rows * (32 + 4 + 16));
  // The codec permutes V's scales among the rows; the rows stand as in nvfp4_linear.
  Result<PageLayout> swizzled = page_layout(geometry(Format::kNvfp4Swizzled), Layout::kNhd);
  ASSERT_TRUE(swizzled);
  EXPECT_EQ(swizzled->v.scale_token_stride, page->v.scale_token_stride);
  EXPECT_EQ(swizzled->v.scale_head_stride, page->v.scale_head_stride);
}

TEST(PageLayout, DeepSeekLatentRowsStandAsTheirEnginesWriteThem) {
  struct Case {
    Format format;
    int64_t row, scales, scale_stride, bytes;
  };
  const Case cases[] = {
      {Format::kFp8DsMlaV32, 656, 512, 656, 64 * 656},
      {Format::kFp8DsMlaV4, 576, 64 * 576, 8, 65 * 576},  // 37376 rounded up to 576
      {Format::kFp8DsMlaV41, 512, 64 * 512, 16, 64 * 528},
      {Format::kNvfp4DsMla, 352, 320, 352, 64 * 352},
  };
  for (const Case& c : cases) {
    Result<PageLayout> page = page_layout(geometry(c.format, 1, 64), Layout::kNhd);
    ASSERT_TRUE(page) << name(c.format);
    EXPECT_EQ(page->k.token_stride, c.row) << name(c.format);
    EXPECT_EQ(page->k.scale_offset, c.scales) << name(c.format);
    EXPECT_EQ(page->k.scale_token_stride, c.scale_stride) << name(c.format);
    EXPECT_EQ(page->bytes, c.bytes) << name(c.format);
  }
}

TEST(PageLayout, RefusesWhatHasNoLayout) {
  EXPECT_FALSE(
      page_layout({Format::kTurboquantK8v4, CacheKind::kSeparate, {64, 64}, 1, 16}, Layout::kNhd));
  EXPECT_FALSE(
      page_layout({Format::kNvfp4Linear, CacheKind::kSeparate, {72, 72}, 1, 16}, Layout::kNhd));
  EXPECT_FALSE(
      page_layout({Format::kFp8DsMlaV32, CacheKind::kLatent, {576, 512}, 2, 16}, Layout::kNhd));
  EXPECT_FALSE(page_layout({Format::kBf16, CacheKind::kSeparate, {64, 64}, 1, 0}, Layout::kNhd));
}

TEST(CacheView, PointsIntoThePagesWithTheStrideBetweenBlocksAsGiven) {
  Result<PageLayout> page = page_layout(geometry(Format::kInt8PerTokenHead), Layout::kHnd);
  ASSERT_TRUE(page);
  std::vector<uint8_t> memory(static_cast<size_t>(page->bytes) * 4);
  const attnrt_cache_view view = cache_view(*page, memory.data(), page->bytes + 640, 3);
  EXPECT_EQ(view.k.data, memory.data());
  EXPECT_EQ(view.v.data, memory.data() + page->v.data_offset);
  EXPECT_EQ(view.k.scales, memory.data() + 64);
  EXPECT_EQ(view.k.block_stride, page->bytes + 640);
  EXPECT_EQ(view.k.scale_block_stride, page->bytes + 640);
  EXPECT_EQ(view.blocks, 3);
  EXPECT_EQ(view.k_scale.host, 1.0f);
}

TEST(CacheView, IsPackedAsItsLayoutStandsAndInBlocksOfWholePages) {
  for (const Format format : {Format::kBf16, Format::kInt8PerTokenHead, Format::kNvfp4Linear}) {
    for (const Layout layout : {Layout::kNhd, Layout::kHnd}) {
      PageGeometry g = geometry(format);
      g.head_dim = {64, 64};
      const PageLayout page = *page_layout(g, layout);
      std::vector<uint8_t> memory(static_cast<size_t>(page.bytes) * 4);
      const attnrt_cache_view packed = cache_view(page, memory.data(), page.bytes, 4);
      EXPECT_TRUE(is_packed(packed, page)) << name(format);
      const auto expect_strided = [&](auto change) {
        attnrt_cache_view view = packed;
        change(view);
        EXPECT_FALSE(is_packed(view, page)) << name(format);
      };
      using View = attnrt_cache_view;
      expect_strided([](View& v) { v.k.token_stride += 16; });
      expect_strided([](View& v) { v.v.head_stride += 16; });
      expect_strided([](View& v) { v.v.block_stride += 64; });
      expect_strided([](View& v) { v.k.block_stride /= 4; });
      if (packed.k.scales != nullptr) {
        expect_strided([](View& v) { v.k.scale_token_stride += 4; });
        expect_strided([](View& v) { v.v.scales = v.k.scales; });
      }
      attnrt_cache_view far = packed;  // layers or K and V in one pool
      far.k.block_stride = far.k.scale_block_stride = 3 * page.bytes / 2;
      EXPECT_TRUE(is_packed(far, page)) << name(format);
    }
  }
}

TEST(CacheView, IsAlignedAsItsPointersAndStridesAre) {
  const PageLayout page = *page_layout(geometry(Format::kBf16), Layout::kNhd);
  const auto at = [](uintptr_t address) { return reinterpret_cast<void*>(address); };
  EXPECT_EQ(alignment_of(cache_view(page, at(0x10000), page.bytes, 4)), 64);  // rows of V
  EXPECT_EQ(alignment_of(cache_view(page, at(0x10004), page.bytes, 4)), 4);
  EXPECT_EQ(alignment_of(cache_view(page, at(0x10000), page.bytes + 8, 4)), 8);
  attnrt_cache_view view = cache_view(page, at(0x10000), page.bytes, 4);
  view.v.token_stride += 2;
  EXPECT_EQ(alignment_of(view), 2);
}

TEST(RowAlignment, IsThatOfEveryRowOfAPackedPage) {
  int checked = 0;
  for (const FormatInfo& f : all_formats()) {
    if (!f.byte_layout_known) continue;
    for (const int32_t heads : {1, 3}) {
      for (const int32_t block : {1, 16}) {
        if (f.latent_only && heads > 1) continue;
        const PageGeometry g = geometry(f.format, heads, block);
        for (const Layout layout : {Layout::kNhd, Layout::kHnd}) {
          const PageLayout page = *page_layout(g, layout);
          int64_t all = 64;
          for (const SideLayout* side : {&page.k, &page.v}) {
            all |= side->data_offset;
            // Strides of one head or token are nobody's, and yet a row's bytes.
            all |= side->token_stride | side->head_stride;
          }
          EXPECT_EQ(*row_alignment(g), all & -all) << f.name << ' ' << heads << ' ' << block;
          ++checked;
        }
      }
    }
  }
  EXPECT_GT(checked, 80);
  EXPECT_FALSE(row_alignment({Format::kTurboquantK8v4, CacheKind::kSeparate, {64, 64}, 1, 16}));
}

TEST(CacheView, OfALatentCacheHasNoVSide) {
  Result<PageLayout> page =
      page_layout({Format::kBf16, CacheKind::kLatent, {576, 512}, 1, 16}, Layout::kNhd);
  ASSERT_TRUE(page);
  std::vector<uint8_t> memory(static_cast<size_t>(page->bytes));
  const attnrt_cache_view view = cache_view(*page, memory.data(), page->bytes, 1);
  EXPECT_EQ(view.v.data, nullptr);
  EXPECT_EQ(page->bytes, 16 * 576 * 2);
}

}  // namespace
}  // namespace attnrt
