// The table of formats and the names of the small enumerations.
#include <gtest/gtest.h>

#include <set>

#include "attnrt/format.hpp"
#include "attnrt/manifest.hpp"
#include "attnrt/plugin.h"

namespace attnrt {
namespace {

TEST(FormatTable, EveryFormatHasAUniqueNameThatParsesBack) {
  std::set<std::string_view> seen;
  for (const FormatInfo& f : all_formats()) {
    EXPECT_TRUE(seen.insert(f.name).second) << f.name;
    EXPECT_FALSE(f.summary.empty()) << f.name;
    EXPECT_FALSE(f.storage.empty()) << f.name;
    const Result<Format> parsed = parse_format(f.name);
    ASSERT_TRUE(parsed.ok()) << f.name;
    EXPECT_EQ(*parsed, f.format);
    EXPECT_EQ(name(f.format), f.name);
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>(kFormatCount));
}

TEST(FormatTable, AStorageTypeIsSharedSoItCannotNameAFormat) {
  std::set<std::string_view> on_uint8;
  for (const FormatInfo& f : all_formats()) {
    if (f.storage == "uint8") on_uint8.insert(f.name);
  }
  EXPECT_TRUE(on_uint8.contains("fp8_e4m3"));
  EXPECT_TRUE(on_uint8.contains("nvfp4_linear"));
}

TEST(FormatTable, CanonicalNamesAreExact) {
  for (const char* text : {"", "fp8", "auto", "nvfp4", "half", "bfloat16", "BF16", " bf16", "bf16 ",
                           "fp8_ds_mla", "int8", "uint8"}) {
    const Result<Format> parsed = parse_format(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalid);
    EXPECT_NE(parsed.error().expected.find("fp8_e4m3"), std::string::npos);
    EXPECT_NE(parsed.error().remedy.find("nearest"), std::string::npos);
  }
}

struct DTypeCase {
  const char* text;
  DType dtype;
  int64_t bytes;
};

TEST(Names, DTypesTakeTheUsualSpellings) {
  const DTypeCase cases[] = {
      {"f64", DType::kF64, 8},          {"double", DType::kF64, 8},
      {"f32", DType::kF32, 4},          {"float", DType::kF32, 4},
      {"float32", DType::kF32, 4},      {"f16", DType::kF16, 2},
      {"half", DType::kF16, 2},         {"float16", DType::kF16, 2},
      {"bf16", DType::kBf16, 2},        {"bfloat16", DType::kBf16, 2},
      {"fp8", DType::kFp8E4m3, 1},      {"fp8_e4m3", DType::kFp8E4m3, 1},
      {"fp8_e5m2", DType::kFp8E5m2, 1}, {"fp8_e4m3fnuz", DType::kFp8E4m3fnuz, 1}};
  for (const DTypeCase& c : cases) {
    const Result<DType> parsed = parse_dtype(c.text);
    ASSERT_TRUE(parsed.ok()) << c.text;
    EXPECT_EQ(*parsed, c.dtype) << c.text;
    EXPECT_EQ(element_bytes(c.dtype), c.bytes) << c.text;
  }
  EXPECT_FALSE(parse_dtype("bf17").ok());
  EXPECT_FALSE(parse_dtype("").ok());
}

TEST(Names, PlainFormatsAreTheDtypesThatACacheStoresAsTheyAre) {
  for (const char* text : {"f32", "f16", "bf16", "fp8_e4m3", "fp8_e5m2", "fp8_e4m3fnuz"}) {
    const Result<Format> format = plain_format(*parse_dtype(text));
    ASSERT_TRUE(format.ok()) << text;
    EXPECT_EQ(name(*format), text);
  }
  EXPECT_FALSE(plain_format(DType::kF64).ok());
}

TEST(Names, LayoutsAndCacheKindsParseBack) {
  for (Layout layout : {Layout::kNhd, Layout::kHnd}) EXPECT_EQ(*parse_layout(name(layout)), layout);
  for (CacheKind kind : {CacheKind::kSeparate, CacheKind::kLatent}) {
    EXPECT_EQ(*parse_cache_kind(name(kind)), kind);
  }
  EXPECT_FALSE(parse_layout("NHD").ok());
  EXPECT_FALSE(parse_cache_kind("mla").ok());
}

TEST(Names, ValuesAreThoseOfTheAbi) {
  EXPECT_EQ(static_cast<int>(DType::kF64), ATTNRT_DTYPE_F64);
  EXPECT_EQ(static_cast<int>(DType::kFp8E4m3fnuz), ATTNRT_DTYPE_FP8_E4M3FNUZ);
  EXPECT_EQ(static_cast<int>(CacheKind::kLatent), ATTNRT_CACHE_LATENT);
  EXPECT_EQ(static_cast<int>(Layout::kHnd), ATTNRT_LAYOUT_HND);
  EXPECT_EQ(static_cast<int>(DeviceKind::kSimt), ATTNRT_DEVICE_SIMT);
  EXPECT_EQ(static_cast<int>(Op::kMerge), ATTNRT_OP_MERGE);
  EXPECT_EQ(Features{Feature::kSparse}.bits(), ATTNRT_FEATURE_SPARSE);
  EXPECT_EQ(Features{Feature::kLse}.bits(), ATTNRT_FEATURE_LSE);
}

}  // namespace
}  // namespace attnrt
