// Plugins that were built outside this tree, or frozen long ago: they load, plan and compute.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "attnrt/load.hpp"
#include "attnrt/plan.hpp"
#include "attnrt/session.hpp"
#include "tests/run/step_inputs.hpp"

namespace attnrt {
namespace {

using testing_fakes::Lengths;
using testing_fakes::StepInputs;

PluginRegistry scan() {
  SearchOptions options;
  options.path = {THIRD_PARTY_PLUGINS};
  return PluginRegistry::scan(options);
}

ModelGeometry model() {
  ModelGeometry geometry;
  geometry.name = "two layers";
  geometry.dtype = DType::kF32;
  geometry.layers.resize(2);
  for (LayerGeometry& layer : geometry.layers) {
    layer.q_heads = 4;
    layer.kv_heads = 2;
    layer.head_dim = {64, 64};
  }
  return geometry;
}

Device this_machine() {
  return parse_device("cpu", probe_host()).value();
}

// The plan that runs everything on one plugin.
Plan plan_with(const PluginRegistry& registry, const std::string& plugin) {
  PlanOptions options;
  options.policy.require = plugin;
  Result<PlanOutcome> outcome = plan(model(), this_machine(), options, registry.catalog());
  if (!outcome) throw std::runtime_error(to_string(outcome.error()));
  if (!outcome->plan) throw std::runtime_error(plugin + " serves no plan");
  return std::move(*outcome->plan);
}

SessionOptions small() {
  SessionOptions options;
  options.max_sequences = 8;
  options.max_tokens = 256;
  options.max_kv_len = 256;
  options.blocks = 128;
  return options;
}

// Appends and attends all layers; judges the outputs and gives them, layer after layer.
std::vector<float> run(const PluginRegistry& registry, const std::string& plugin,
                       const std::vector<Lengths>& lengths) {
  Result<Session> session = Session::open(plan_with(registry, plugin), registry, small());
  if (!session) throw std::runtime_error(to_string(session.error()));
  StepInputs in(*session, lengths);
  Result<Step> step = session->begin(in.batches());
  if (!step) throw std::runtime_error(to_string(step.error()));
  std::vector<float> outputs;
  for (int32_t layer = 0; layer < 2; ++layer) {
    const Status stored = step->append(layer, in.k(layer), in.v(layer));
    if (!stored) throw std::runtime_error(to_string(stored.error()));
    const Status attended = step->attend(layer, in.q(layer), in.out(layer));
    if (!attended) throw std::runtime_error(to_string(attended.error()));
    const std::vector<float> wanted = in.wanted(layer);
    const std::vector<float>& got = in.result(layer);
    EXPECT_EQ(got.size(), wanted.size());
    for (size_t i = 0; i < std::min(got.size(), wanted.size()); ++i) {
      EXPECT_NEAR(got[i], wanted[i], 1e-5) << plugin << ", layer " << layer << ", value " << i;
    }
    outputs.insert(outputs.end(), got.begin(), got.end());
  }
  return outputs;
}

class ThirdParty : public ::testing::TestWithParam<const char*> {};

TEST_P(ThirdParty, IsFoundWithoutARefusal) {
  const PluginRegistry registry = scan();
  EXPECT_TRUE(registry.refused().empty());
  EXPECT_TRUE(std::any_of(registry.plugins().begin(), registry.plugins().end(),
                          [](const auto& plugin) { return plugin.manifest.name == GetParam(); }));
}

TEST_P(ThirdParty, ComputesAttentionOverRaggedBatches) {
  const PluginRegistry registry = scan();
  const std::vector<std::vector<Lengths>> batches = {
      {{1, 5}, {1, 0}, {1, 100}},           // decode
      {{70, 0}, {4, 40}},                   // prefill, and going on
      {{1, 33}, {17, 0}, {0, 9}, {8, 64}},  // everything at once
  };
  for (const auto& lengths : batches) {
    ASSERT_NO_THROW(run(registry, GetParam(), lengths));
  }
}

TEST_P(ThirdParty, AgreesWithTheOracle) {
  const PluginRegistry registry = scan();
  const bool has_oracle =
      std::any_of(registry.plugins().begin(), registry.plugins().end(),
                  [](const auto& plugin) { return plugin.manifest.name == "reference"; });
  if (!has_oracle) GTEST_SKIP() << "this build has no oracle";
  const std::vector<Lengths> lengths = {{1, 50}, {20, 13}, {3, 0}};
  // The inputs are seeded: both sessions get the same numbers.
  const std::vector<float> ours = run(registry, GetParam(), lengths);
  const std::vector<float> oracle = run(registry, "reference", lengths);
  ASSERT_EQ(ours.size(), oracle.size());
  for (size_t i = 0; i < ours.size(); ++i) ASSERT_NEAR(ours[i], oracle[i], 2e-6) << "value " << i;
}

INSTANTIATE_TEST_SUITE_P(Plugins, ThirdParty, ::testing::Values("naive_c", "fixture_frozen"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace attnrt
