// Failure: head size 512 was allowed everywhere because one GPU family has it, and uint8 storage
// was taken to mean FP8 and NVFP4 alike.
// Answer: support is a union of boxes, and a format is never inferred from its storage type.
#include <gtest/gtest.h>

#include <set>

#include "tests/failures/support.hpp"
#include "tests/failures/tiny_model.hpp"

namespace attnrt::failures {
namespace {

std::string at(int sm, int head_dim, const std::string& kv) {
  return "device=cuda:sm_" + std::to_string(sm) + " block=64 head_dim=" + std::to_string(head_dim) +
         " kv=" + kv;
}

TEST(HeadSize512, IsAcceptedWhereAKernelHasIt) {
  const Catalog catalog = todays({"flash_attn"});
  for (int sm : {90, 100, 103}) {
    EXPECT_TRUE(accepted(ask(at(sm, 512, "auto")), catalog)) << sm;
    EXPECT_TRUE(accepted(ask(at(sm, 512, "fp8")), catalog)) << sm;
  }
}

TEST(HeadSize512, IsRefusedOnTheFamiliesWithoutIt) {
  const Catalog catalog = todays({"flash_attn"});
  for (int sm : {80, 86, 89, 120, 121}) {
    SCOPED_TRACE(sm);
    EXPECT_TRUE(accepted(ask(at(sm, 256, "auto")), catalog));
    expect_refused_for(Rule::kHeadDim, ask(at(sm, 512, "auto")), catalog);
  }
}

// A union is not a product: the head sizes of one box don't go with the formats of another.
TEST(HeadSize512, ABoxLendsNothingToItsNeighbour) {
  const Catalog catalog = todays({"flash_attn"});
  EXPECT_TRUE(accepted(ask(at(90, 320, "auto")), catalog));
  EXPECT_TRUE(accepted(ask(at(90, 256, "fp8")), catalog));
  EXPECT_FALSE(accepted(ask(at(90, 320, "fp8")), catalog));
}

// Head size is the model's: the ways out are another device or another backend, never a size.
TEST(HeadSize512, TheWaysOutKeepTheHeadSize) {
  for (const Alternative& way :
       expect_alternatives_work(ask(at(80, 512, "auto")).front(), todays({"flash_attn"}))) {
    EXPECT_NE(changed(way, "device"), "");
  }
}

TEST(StorageType, IsSharedByFormatsThatMeanDifferentThings) {
  EXPECT_EQ(info(Format::kFp8E4m3).storage, info(Format::kNvfp4Linear).storage);
  EXPECT_EQ(info(Format::kFp8E4m3).storage, info(Format::kFp8E5m2).storage);
}

// A kernel that lists one format of a storage type accepts no other one of it.
TEST(StorageType, SaysNothingAboutWhatAKernelCanRead) {
  const Catalog catalog = todays({"flash_attn"});
  for (int sm : {90, 100}) {
    EXPECT_TRUE(accepted(ask(at(sm, 128, "fp8_e4m3")), catalog));
    for (const FormatInfo& format : all_formats()) {
      if (format.storage != info(Format::kFp8E4m3).storage || format.format == Format::kFp8E4m3) {
        continue;
      }
      SCOPED_TRACE(format.name);
      expect_refused_for(Rule::kKv, ask(at(sm, 128, std::string(format.name))), catalog);
    }
  }
}

class HeadSizeNumbers : public testing::TestWithParam<std::string> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(HeadSizeNumbers);

// Planned means computed: head size 512 is refused when planning, or its numbers are right.
TEST_P(HeadSizeNumbers, HeadSize512IsRefusedAtPlanningOrExact) {
  const TinyModel model = tiny_model(DType::kF32, {512, 512}, {0}, Grid::kSmall);
  auto outcome = plan_tiny(model, options_for(GetParam(), "fp8"));
  ASSERT_TRUE(outcome.ok()) << to_string(outcome.error());
  if (!outcome->plan) {
    ASSERT_FALSE(outcome->refusals.empty());
    return;
  }
  const auto worst = worst_difference(model, std::move(*outcome->plan));
  ASSERT_TRUE(worst.ok()) << to_string(worst.error());
  EXPECT_LT(*worst, kF32Noise);
}

// Two formats of one storage type and one size, the same bytes in each page: never mixed up.
TEST_P(HeadSizeNumbers, FormatsOfOneStorageTypeAreToldApart) {
  std::set<Format> planned;
  for (const char* kv : {"fp8_e4m3", "fp8_e5m2"}) {
    const TinyModel model = tiny_model(DType::kF32, {64, 64}, {0}, Grid::kSmall);
    auto outcome = plan_tiny(model, options_for(GetParam(), kv));
    ASSERT_TRUE(outcome.ok()) << to_string(outcome.error());
    ASSERT_TRUE(outcome->plan.has_value()) << kv;
    planned.insert(outcome->plan->layers[0].kv);
    const auto worst = worst_difference(model, std::move(*outcome->plan));
    ASSERT_TRUE(worst.ok()) << to_string(worst.error());
    EXPECT_LT(*worst, kF32Noise) << kv;
  }
  EXPECT_EQ(planned.size(), 2U);
}

INSTANTIATE_TEST_SUITE_P(On, HeadSizeNumbers, testing::ValuesIn(numeric_plugins()),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace attnrt::failures
