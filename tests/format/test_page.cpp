// Bytes of rows and pages, against the numbers of the formats' own definitions.
#include <gtest/gtest.h>

#include <limits>

#include "attnrt/format.hpp"

namespace attnrt {
namespace {

using enum Format;

struct RowCase {
  Format format;
  int32_t head_dim;
  int64_t bytes;  // -1: an error
};

TEST(RowBytes, AreThoseOfTheFormat) {
  const RowCase cases[] = {
      {kF32, 128, 512},
      {kF16, 128, 256},
      {kBf16, 80, 160},
      {kFp8E4m3, 128, 128},
      {kFp8E5m2, 1, 1},
      {kFp8E4m3fnuz, 64, 64},
      {kInt8PerTokenHead, 128, 132},
      {kFp8PerTokenHead, 64, 68},
      {kInt4PerTokenHead, 128, 68},
      {kInt4PerTokenHead, 127, -1},
      {kInt4PerTokenHeadZp, 128, 72},
      {kNvfp4Linear, 128, 72},
      {kNvfp4Swizzled, 64, 36},
      {kNvfp4FourOverSix, 16, 9},
      {kNvfp4Linear, 8, -1},
      {kNvfp4Linear, 120, -1},
      {kFp8DsMlaV32, 576, 656},
      {kFp8DsMlaV4, 512, 584},
      {kFp8DsMlaV41, 512, 528},
      {kNvfp4DsMla, 576, 352},
      {kFp8DsMlaV32, 512, -1},
      {kTurboquantK8v4, 128, -1},
      {kUltraquant4bit, 128, -1},
      {kBf16, 0, -1},
      {kBf16, -64, -1},
      {kF32, std::numeric_limits<int32_t>::max(), int64_t{4} * std::numeric_limits<int32_t>::max()},
  };
  for (const RowCase& c : cases) {
    const Result<int64_t> bytes = row_bytes(c.format, c.head_dim);
    ASSERT_EQ(bytes.ok(), c.bytes >= 0) << name(c.format) << " " << c.head_dim;
    if (bytes.ok()) {
      EXPECT_EQ(*bytes, c.bytes) << name(c.format) << " " << c.head_dim;
    }
    if (!bytes.ok()) {
      EXPECT_EQ(bytes.error().code, ErrorCode::kInvalid);
    }
  }
}

struct PageCase {
  PageGeometry geometry;
  int64_t bytes;  // -1: an error
};

TEST(PageBytes, HoldBothSidesOrTheLatentAndTheFormatsPadding) {
  constexpr auto kSeparate = CacheKind::kSeparate;
  constexpr auto kLatent = CacheKind::kLatent;
  const PageCase cases[] = {
      {{kBf16, kSeparate, {128, 128}, 8, 16}, 2 * 16 * 8 * 256},
      {{kBf16, kSeparate, {192, 128}, 8, 16}, 16 * 8 * (384 + 256)},
      {{kBf16, kLatent, {576, 512}, 1, 64}, 64 * 1152},
      {{kInt8PerTokenHead, kSeparate, {64, 64}, 3, 16}, 2 * 16 * 3 * 68},
      {{kNvfp4Linear, kSeparate, {128, 128}, 8, 16}, 2 * 16 * 8 * 72},
      {{kFp8DsMlaV32, kLatent, {576, 512}, 1, 64}, 64 * 656},
      {{kFp8DsMlaV4, kLatent, {512, 512}, 1, 64}, 37440},     // 64 * 584 = 37376 -> 65 * 576
      {{kFp8DsMlaV4, kLatent, {512, 512}, 1, 72}, 72 * 584},  // already 73 * 576
      {{kFp8DsMlaV41, kLatent, {512, 512}, 1, 64}, 64 * 528},
      {{kFp8DsMlaV41, kLatent, {512, 512}, 1, 1}, 1024},
      {{kNvfp4DsMla, kLatent, {576, 512}, 1, 64}, 64 * 352},
      {{kFp8DsMlaV32, kSeparate, {576, 512}, 1, 64}, -1},
      {{kFp8DsMlaV32, kLatent, {576, 576}, 1, 64}, -1},
      {{kNvfp4Linear, kSeparate, {128, 120}, 8, 16}, -1},
      {{kTurboquantK8v4, kSeparate, {128, 128}, 8, 16}, -1},
      {{kBf16, kSeparate, {128, 128}, 0, 16}, -1},
      {{kBf16, kSeparate, {128, 128}, 8, 0}, -1},
      {{kBf16, kSeparate, {128, 128}, 8, -16}, -1},
      {{kBf16, kSeparate, {128, 128}, 0x7fffffff, 0x7fffffff}, -1},
  };
  for (const PageCase& c : cases) {
    const Result<int64_t> bytes = page_bytes(c.geometry);
    ASSERT_EQ(bytes.ok(), c.bytes >= 0) << name(c.geometry.format);
    if (bytes.ok()) {
      EXPECT_EQ(*bytes, c.bytes) << name(c.geometry.format);
    }
    if (!bytes.ok()) {
      EXPECT_FALSE(bytes.error().found.empty());
    }
  }
}

}  // namespace
}  // namespace attnrt
