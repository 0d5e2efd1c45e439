// Failure: one KV dtype for the whole engine although some layers were skipped: sliding-window
// layers stayed in 16 bits beside FP8 ones, and their metadata was built for the wrong format.
// Answer: the format belongs to the layer's cache, never to the engine.
#include <gtest/gtest.h>

#include "tests/failures/support.hpp"
#include "tests/failures/tiny_model.hpp"

namespace attnrt::failures {
namespace {

// Three sliding-window layers to one full one, twice.
const std::vector<int32_t> kWindows{16, 16, 16, 0, 16, 16, 16, 0};

ModelGeometry hopper_model() {
  ModelGeometry model;
  model.name = "windows";
  for (int32_t window : kWindows) {
    model.layers.push_back({.q_heads = 8, .kv_heads = 4, .head_dim = {128, 128}, .window = window});
  }
  return model;
}

PlanOptions fp8_but_for(const std::string& skipped) {
  PlanOptions options;
  options.kv_cache.format = parse_spelling("fp8").value();
  options.kv_cache.skip_layers = {parse_layer_selector(skipped).value()};
  options.runnable = false;
  return options;
}

PlanOutcome plan_on(const std::string& device, const PlanOptions& options, const Catalog& catalog) {
  const Device where = parse_device(device, HostFacts{}).value();
  return plan(hopper_model(), where, options, catalog).value();
}

TEST(SkippedLayers, EachLayerIsPlannedForTheFormatOfItsOwnCache) {
  const Catalog catalog = todays({"flash_attn"});
  const PlanOutcome outcome = plan_on("cuda:sm_90", fp8_but_for("sliding_window"), catalog);
  ASSERT_TRUE(outcome.plan.has_value());
  for (const LayerPlan& layer : outcome.plan->layers) {
    const Format own = layer.geometry.window > 0 ? Format::kBf16 : Format::kFp8E4m3;
    EXPECT_EQ(layer.kv, own) << layer.index;
    EXPECT_FALSE(layer.ops.empty());
    for (const OpDecision& op : layer.ops) {
      EXPECT_EQ(op.request.kv, own) << layer.index << " " << name(op.op);
      const Manifest& manifest = catalog.entries()[op.plugin].manifest;
      EXPECT_TRUE(manifest.kernels[op.kernel].kv.contains(own));
    }
    EXPECT_EQ(outcome.plan->groups[layer.group].page.format, own);
  }
}

// On SM80 the full layers can't be FP8; that says nothing against the skipped ones.
TEST(SkippedLayers, OnlyTheLayersThatAskForFp8AreRefusedWhereItIsNot) {
  const PlanOutcome outcome =
      plan_on("cuda:sm_80", fp8_but_for("sliding_window"), todays({"flash_attn"}));
  EXPECT_FALSE(outcome.plan.has_value());
  ASSERT_FALSE(outcome.refusals.empty());
  for (const Refusal& refusal : outcome.refusals) {
    std::vector<int32_t> layers = refusal.also_layers;
    layers.push_back(refusal.layer);
    for (int32_t layer : layers) EXPECT_EQ(kWindows[static_cast<size_t>(layer)], 0) << layer;
    EXPECT_EQ(refusal.spelling, "fp8");
    ASSERT_TRUE(refusal.skipping);
    EXPECT_EQ(refusal.skipping->layers.size(), std::size(kWindows)) << "those skipped already, too";
    EXPECT_FALSE(refusal.alternatives.empty());
  }
}

TEST(SkippedLayers, SkippingThemTooIsAWayOutThatWorks) {
  PlanOptions options = fp8_but_for("sliding_window");
  options.kv_cache.skip_layers.push_back(parse_layer_selector("full").value());
  const PlanOutcome outcome = plan_on("cuda:sm_80", options, todays({"flash_attn"}));
  ASSERT_TRUE(outcome.plan.has_value());
  for (const LayerPlan& layer : outcome.plan->layers) EXPECT_EQ(layer.kv, Format::kBf16);
}

// The other way round: what must stay in 16 bits is refused by a backend without 16 bits.
TEST(SkippedLayers, TheSkippedFormatNeedsAKernelToo) {
  PlanOptions options = fp8_but_for("sliding_window");
  options.kv_cache.skip_format = parse_spelling("nvfp4").value();
  const PlanOutcome outcome = plan_on("cuda:sm_90", options, todays({"flash_attn"}));
  ASSERT_FALSE(outcome.plan.has_value());
  ASSERT_FALSE(outcome.refusals.empty());
  EXPECT_GT(kWindows[static_cast<size_t>(outcome.refusals[0].layer)], 0);
}

class SkippedLayersNumbers : public testing::TestWithParam<std::string> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SkippedLayersNumbers);

// Skipped layers hold numbers that only f32 can store, the others numbers of FP8: read in the wrong
// format, either would be far off.
TEST_P(SkippedLayersNumbers, MixedCachesAreReadAsTheyWereWritten) {
  TinyModel model = tiny_model(DType::kF32, {64, 64}, kWindows, Grid::kSmall);
  for (size_t i = 0; i < kWindows.size(); ++i) {
    if (kWindows[i] > 0) model.grids[i] = Grid::kFine;
  }
  for (const char* kv : {"fp8", "fp8_e5m2"}) {
    SCOPED_TRACE(kv);
    PlanOptions options = options_for(GetParam(), kv);
    options.kv_cache.skip_layers = {parse_layer_selector("sliding_window").value()};
    auto outcome = plan_tiny(model, options);
    ASSERT_TRUE(outcome.ok()) << to_string(outcome.error());
    ASSERT_TRUE(outcome->plan.has_value());
    EXPECT_EQ(outcome->plan->groups.size(), 2U);
    const auto worst = worst_difference(model, std::move(*outcome->plan));
    ASSERT_TRUE(worst.ok()) << to_string(worst.error());
    EXPECT_LT(*worst, kF32Noise);
  }
}

INSTANTIATE_TEST_SUITE_P(On, SkippedLayersNumbers, testing::ValuesIn(numeric_plugins()),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace attnrt::failures
