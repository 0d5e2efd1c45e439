// Every spelling of a KV format, and what it stands for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "attnrt/format.hpp"

namespace attnrt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using enum Format;

struct Case {
  const char* text;
  Format format;
};

// In a bf16 model with separate caches on a CUDA device.
const Case kCases[] = {
    {"auto", kBf16},
    {"float", kF32},
    {"float32", kF32},
    {"fp32", kF32},
    {"f32", kF32},
    {"float16", kF16},
    {"half", kF16},
    {"fp16", kF16},
    {"f16", kF16},
    {"bfloat16", kBf16},
    {"bf16", kBf16},
    {"fp8", kFp8E4m3},
    {"fp8_inc", kFp8E4m3},
    {"fp8_e4m3", kFp8E4m3},
    {"fp8_e4m3fn", kFp8E4m3},
    {"float8_e4m3fn", kFp8E4m3},
    {"fp8_e5m2", kFp8E5m2},
    {"float8_e5m2", kFp8E5m2},
    {"fp8_e4m3fnuz", kFp8E4m3fnuz},
    {"float8_e4m3fnuz", kFp8E4m3fnuz},
    {"int8_per_token_head", kInt8PerTokenHead},
    {"fp8_per_token_head", kFp8PerTokenHead},
    {"int4_per_token_head", kInt4PerTokenHead},
    {"int4_per_token_head_zp", kInt4PerTokenHeadZp},
    {"nvfp4_linear", kNvfp4Linear},
    {"nvfp4_swizzled", kNvfp4Swizzled},
    {"nvfp4_4over6", kNvfp4FourOverSix},
    {"fp8_ds_mla_v32", kFp8DsMlaV32},
    {"fp8_ds_mla_v4", kFp8DsMlaV4},
    {"fp8_ds_mla_v41", kFp8DsMlaV41},
    {"nvfp4_ds_mla", kNvfp4DsMla},
    {"turboquant_k8v4", kTurboquantK8v4},
    {"turboquant_4bit_nc", kTurboquant4bitNc},
    {"turboquant_k3v4_nc", kTurboquantK3v4Nc},
    {"turboquant_3bit_nc", kTurboquant3bitNc},
    {"ultraquant_4bit", kUltraquant4bit},
};

TEST(Spelling, EachStandsForItsFormat) {
  for (const Case& c : kCases) {
    const Result<Spelling> spelling = parse_spelling(c.text);
    ASSERT_TRUE(spelling.ok()) << c.text;
    EXPECT_EQ(spelling->text, c.text);
    const Result<std::vector<Format>> formats = resolve(*spelling, {});
    ASSERT_TRUE(formats.ok()) << c.text;
    EXPECT_THAT(*formats, ElementsAre(c.format)) << c.text;
  }
}

TEST(Spelling, TheListOfSpellingsIsCompleteAndNothingElseParses) {
  std::set<std::string_view> tested{"fp8_ds_mla", "nvfp4"};  // below
  for (const Case& c : kCases) tested.insert(c.text);
  for (std::string_view text : all_spellings()) {
    EXPECT_TRUE(parse_spelling(text).ok()) << text;
    EXPECT_TRUE(tested.contains(text)) << text << " has no test";
  }
  EXPECT_EQ(all_spellings().size(), tested.size());
}

TEST(Spelling, AnUnknownOneListsTheKnownAndTheNearest) {
  const Result<Spelling> spelling = parse_spelling("fp8_e4m4");
  ASSERT_FALSE(spelling.ok());
  EXPECT_EQ(spelling.error().code, ErrorCode::kInvalid);
  for (std::string_view known : all_spellings()) {
    EXPECT_THAT(spelling.error().expected, HasSubstr(std::string(known)));
  }
  EXPECT_THAT(spelling.error().found, HasSubstr("fp8_e4m4"));
  EXPECT_THAT(spelling.error().remedy, HasSubstr("nearest: 'fp8_e4m3'"));
}

TEST(Spelling, AStorageTypeOrAWrongCaseIsUnknown) {
  for (const char* text : {"", "uint8", "int8", "FP8", "Auto", "auto ", "none", "bf16,f16"}) {
    EXPECT_FALSE(parse_spelling(text).ok()) << text;
  }
}

TEST(Spelling, AutoIsTheModelsDtype) {
  for (DType dtype : {DType::kF32, DType::kF16, DType::kBf16, DType::kFp8E4m3}) {
    const auto formats = resolve(Spelling{}, {.model_dtype = dtype, .head_dim = {}, .gfx = {}});
    ASSERT_TRUE(formats.ok());
    EXPECT_EQ(name(formats->front()), name(dtype));
  }
  EXPECT_FALSE(resolve(Spelling{}, {.model_dtype = DType::kF64, .head_dim = {}, .gfx = {}}).ok());
}

TEST(Spelling, Fp8IsFnuzOnCdna3Only) {
  const Spelling fp8 = *parse_spelling("fp8");
  EXPECT_THAT(*resolve(fp8, {.head_dim = {}, .gfx = "gfx942"}), ElementsAre(kFp8E4m3fnuz));
  EXPECT_THAT(*resolve(fp8, {.head_dim = {}, .gfx = "gfx950"}), ElementsAre(kFp8E4m3));
  EXPECT_THAT(*resolve(fp8, {.head_dim = {}, .gfx = ""}), ElementsAre(kFp8E4m3));
  // Spelled out it stays what it says.
  EXPECT_THAT(*resolve(*parse_spelling("fp8_e4m3"), {.head_dim = {}, .gfx = "gfx942"}),
              ElementsAre(kFp8E4m3));
}

TEST(Spelling, Nvfp4StandsForBothLayoutsLinearFirst) {
  EXPECT_THAT(*resolve(*parse_spelling("nvfp4"), {}), ElementsAre(kNvfp4Linear, kNvfp4Swizzled));
}

struct DsMlaCase {
  CacheKind cache;
  HeadDim head_dim;
  const char* generation;
  const char* expected;  // null: an error
};

TEST(Spelling, Fp8DsMlaIsResolvedByTheModelsGeometry) {
  const DsMlaCase cases[] = {
      {CacheKind::kLatent, {576, 512}, "", "fp8_ds_mla_v32"},
      {CacheKind::kLatent, {512, 512}, "", "fp8_ds_mla_v4"},
      {CacheKind::kLatent, {576, 512}, "v32", "fp8_ds_mla_v32"},
      {CacheKind::kLatent, {512, 512}, "v4", "fp8_ds_mla_v4"},
      {CacheKind::kLatent, {512, 512}, "v41", "fp8_ds_mla_v41"},
      {CacheKind::kLatent, {512, 512}, "v32", nullptr},
      {CacheKind::kLatent, {576, 512}, "v4", nullptr},
      {CacheKind::kLatent, {512, 512}, "v5", nullptr},
      {CacheKind::kLatent, {128, 128}, "", nullptr},
      {CacheKind::kSeparate, {576, 512}, "", nullptr},
      {CacheKind::kSeparate, {128, 128}, "v32", nullptr},
  };
  const Spelling spelling = *parse_spelling("fp8_ds_mla");
  for (const DsMlaCase& c : cases) {
    const auto formats = resolve(
        spelling, {.cache = c.cache, .head_dim = c.head_dim, .gfx = {}, .ds_mla = c.generation});
    ASSERT_EQ(formats.ok(), c.expected != nullptr) << c.head_dim.qk << " " << c.generation;
    if (formats.ok()) {
      EXPECT_EQ(name(formats->front()), c.expected);
    }
    if (!formats.ok()) {
      EXPECT_FALSE(formats.error().remedy.empty());
    }
  }
}

}  // namespace
}  // namespace attnrt
