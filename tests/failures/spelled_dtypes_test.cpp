// Failure: auto, float16 and bfloat16, given explicitly, fell through a dispatch on strings.
// Answer: one closed enum of formats; strings are parsed once, at the edge, and every spelling is
// listed there.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/failures/support.hpp"
#include "tests/failures/tiny_model.hpp"

namespace attnrt::failures {
namespace {

struct Words {
  DType model;
  Format format;
  std::vector<const char*> spellings;  // of the same cache
};
const std::vector<Words> kSame{
    {DType::kBf16, Format::kBf16, {"auto", "bfloat16", "bf16"}},
    {DType::kF16, Format::kF16, {"auto", "float16", "half", "f16"}},
    {DType::kF32, Format::kF32, {"auto", "float", "f32"}},
};

Result<std::vector<Format>> meaning(const std::string& spelling, DType model) {
  Result<Spelling> parsed = parse_spelling(spelling);
  if (!parsed) return parsed.error();
  SpellingContext context;
  context.model_dtype = model;
  context.head_dim = {128, 128};
  return resolve(*parsed, context);
}

TEST(SpelledDtypes, EverySpellingOfACacheMeansTheSameFormat) {
  for (const Words& words : kSame) {
    for (const char* spelling : words.spellings) {
      const auto formats = meaning(spelling, words.model);
      ASSERT_TRUE(formats.ok()) << spelling;
      EXPECT_EQ(*formats, std::vector<Format>{words.format}) << spelling;
    }
  }
}

TEST(SpelledDtypes, EveryListedSpellingIsUnderstood) {
  for (std::string_view spelling : all_spellings()) {
    EXPECT_TRUE(parse_spelling(spelling).ok()) << spelling;
  }
}

TEST(SpelledDtypes, AnExplicitDtypeIsDecidedLikeAuto) {
  const Catalog catalog = todays();
  for (const char* device : {"cuda:sm_80", "cuda:sm_90", "cuda:sm_100", "rocm:gfx942", "cpu"}) {
    for (const char* q : {"bf16", "f16"}) {
      const std::string base = std::string("block=32 device=") + device + " q=" + q + " kv=";
      const Decision as_auto = select(ask(base + "auto").front(), catalog);
      const char* spelled = std::string_view(q) == "bf16" ? "bfloat16" : "float16";
      const Decision as_word = select(ask(base + spelled).front(), catalog);
      ASSERT_TRUE(as_auto.chosen.has_value()) << device;
      EXPECT_EQ(as_auto.chosen, as_word.chosen) << device << " " << spelled;
    }
  }
}

// No string falls through: it is understood, or it is an error that helps.
TEST(SpelledDtypes, AnUnknownSpellingIsAnErrorThatNamesTheNearest) {
  for (const auto& [wrong, near] : {std::pair{"bfloat61", "bfloat16"},
                                    {"flaot16", "float16"},
                                    {"fp8_e4m2", "fp8_e4m3"},
                                    {"atuo", "auto"}}) {
    const Result<Spelling> spelling = parse_spelling(wrong);
    ASSERT_FALSE(spelling.ok()) << wrong;
    EXPECT_EQ(spelling.error().code, ErrorCode::kInvalid);
    EXPECT_NE(to_string(spelling.error()).find(near), std::string::npos)
        << to_string(spelling.error());
  }
  for (const char* wrong : {"", " ", "AUTO ", "uint8", "torch.float16", "fp8,bf16"}) {
    EXPECT_FALSE(parse_spelling(wrong).ok()) << "'" << wrong << "'";
  }
}

class SpelledDtypesNumbers : public testing::TestWithParam<std::string> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SpelledDtypesNumbers);

TEST_P(SpelledDtypesNumbers, EverySpellingComputesTheSameRightNumbers) {
  for (const Words& words : kSame) {
    const TinyModel model = tiny_model(words.model, {64, 64}, {0, 16}, Grid::kSmall);
    for (const char* spelling : words.spellings) {
      SCOPED_TRACE(spelling);
      auto outcome = plan_tiny(model, options_for(GetParam(), spelling));
      ASSERT_TRUE(outcome.ok()) << to_string(outcome.error());
      ASSERT_TRUE(outcome->plan.has_value());
      EXPECT_EQ(outcome->plan->layers[0].kv, words.format);
      const auto worst = worst_difference(model, std::move(*outcome->plan));
      ASSERT_TRUE(worst.ok()) << to_string(worst.error());
      EXPECT_LT(*worst, kF32Noise);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(On, SpelledDtypesNumbers, testing::ValuesIn(numeric_plugins()),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace attnrt::failures
