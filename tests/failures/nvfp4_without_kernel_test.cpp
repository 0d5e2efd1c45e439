// Failure: NVFP4 was chosen on SM120, which had no such kernel; it came out when the model ran, and
// the message named no way out.
// Answer: refused at planning, with alternatives that the selector itself has checked.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/failures/support.hpp"
#include "tests/failures/tiny_model.hpp"

namespace attnrt::failures {
namespace {

const std::string kSm120 = "device=cuda:sm_120 kv=nvfp4 head_dim=64";

TEST(Nvfp4WithoutKernel, IsRefusedByEveryBackendOfToday) {
  const Catalog catalog = todays();
  EXPECT_FALSE(accepted(ask(kSm120), catalog));
  for (const Request& request : ask(kSm120)) {
    const Decision decision = select(request, catalog);
    size_t kernels = 0;
    for (const CatalogEntry& entry : catalog.entries()) kernels += entry.manifest.kernels.size();
    EXPECT_EQ(decision.candidates.size(), kernels) << "every kernel has its reasons";
    for (const Candidate& candidate : decision.candidates) {
      EXPECT_FALSE(explain(candidate, request, catalog).empty());
    }
  }
  // The one backend that has nvfp4 there lacks head size 64, and says so.
  expect_refused_for(Rule::kHeadDim, ask(kSm120), todays({"flashinfer"}));
}

TEST(Nvfp4WithoutKernel, TheRefusalNamesWaysOutThatWork) {
  const Catalog catalog = todays();
  const auto ways = expect_alternatives_work(ask(kSm120).front(), catalog);
  const auto changes = [&](const char* key) {
    return std::ranges::any_of(ways, [&](const Alternative& a) {
      return a.change.size() == 1 && !changed(a, key).empty();
    });
  };
  EXPECT_TRUE(changes("kv")) << "another format on the same device";
}

TEST(Nvfp4WithoutKernel, IsAcceptedWhereAKernelHasIt) {
  const Catalog catalog = todays();
  EXPECT_TRUE(accepted(ask("device=cuda:sm_100 kv=nvfp4 head_dim=64"), catalog));
  EXPECT_TRUE(accepted(ask("device=cuda:sm_120 kv=nvfp4 head_dim=128"), catalog));
}

// A whole model: refused as one, layers named, before anything runs.
TEST(Nvfp4WithoutKernel, AModelIsRefusedWhenItIsPlanned) {
  ModelGeometry model;
  model.name = "small heads";
  model.layers.assign(4, {.q_heads = 16, .kv_heads = 4, .head_dim = {64, 64}});
  PlanOptions options;
  options.runnable = false;
  options.kv_cache.format = parse_spelling("nvfp4").value();
  const Device device = parse_device("cuda:sm_120", HostFacts{}).value();
  const Catalog catalog = todays();
  const PlanOutcome refused = plan(model, device, options, catalog).value();
  EXPECT_FALSE(refused.plan.has_value());
  ASSERT_FALSE(refused.refusals.empty());
  EXPECT_FALSE(refused.refusals[0].candidates.empty());
  ASSERT_FALSE(refused.refusals[0].alternatives.empty());

  options.kv_cache.format = parse_spelling("fp8").value();
  EXPECT_TRUE(plan(model, device, options, catalog).value().plan.has_value());
}

class Nvfp4Numbers : public testing::TestWithParam<std::string> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Nvfp4Numbers);

// Refused with a format that works, or right; and the format that was named is run to see.
TEST_P(Nvfp4Numbers, IsExactOrRefusedWithAFormatThatIs) {
  const TinyModel model = tiny_model(DType::kF32, {64, 64}, {0}, Grid::kE2m1);
  std::string kv = "nvfp4";
  auto outcome = plan_tiny(model, options_for(GetParam(), kv));
  ASSERT_TRUE(outcome.ok()) << to_string(outcome.error());
  if (!outcome->plan) {
    ASSERT_FALSE(outcome->refusals.empty());
    for (const Alternative& way : outcome->refusals[0].alternatives) {
      if (way.change.size() == 1 && !changed(way, "kv").empty()) kv = changed(way, "kv");
      if (kv != "nvfp4") break;
    }
    ASSERT_NE(kv, "nvfp4") << "no other format is named";
    outcome = plan_tiny(model, options_for(GetParam(), kv));
    ASSERT_TRUE(outcome.ok()) << to_string(outcome.error());
  }
  ASSERT_TRUE(outcome->plan.has_value()) << kv;
  Grid grid = Grid::kSmall;
  TinyModel runs = model;
  if (grid_of(outcome->plan->layers[0].kv, grid)) runs.grids[0] = grid;
  const auto worst = worst_difference(runs, std::move(*outcome->plan));
  ASSERT_TRUE(worst.ok()) << to_string(worst.error());
  EXPECT_LT(*worst, kF32Noise) << kv;
}

INSTANTIATE_TEST_SUITE_P(On, Nvfp4Numbers, testing::ValuesIn(numeric_plugins()),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace attnrt::failures
