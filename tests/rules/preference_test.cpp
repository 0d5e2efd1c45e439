// The engines' orders of preference come out of the manifests' scores.
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "tests/rules/cases.hpp"
#include "tests/rules/catalog.hpp"

namespace attnrt::rules {
namespace {

using Names = std::vector<std::string>;

YAML::Node preferences() {
  return YAML::LoadFile((data_dir() / "preference.yaml").string());
}

// Denies what was chosen, and asks again until nothing is left.
Names chosen_one_after_the_other(const Request& request) {
  const Catalog& catalog = todays_backends();
  Policy policy;
  while (true) {
    const Decision decision = select(request, catalog, policy);
    if (!decision.chosen) return policy.deny;
    const Candidate& candidate = decision.candidates[*decision.chosen];
    policy.deny.push_back(catalog.entries()[candidate.plugin].manifest.name);
  }
}

TEST(Preference, EachRequestFollowsTheEnginesOrder) {
  for (const YAML::Node& row : preferences()["orders"]) {
    Case c;
    std::vector<Setting> settings;
    for (const auto& pair : row["request"]) {
      settings.push_back({pair.first.as<std::string>(), pair.second.as<std::string>()});
    }
    apply_settings(settings, c);
    const Names expected = row["order"].as<Names>();
    Names chosen = chosen_one_after_the_other(c.request);
    // Backends that the engine's order does not name come after all that it does.
    ASSERT_GE(chosen.size(), expected.size()) << row["why"].as<std::string>();
    chosen.resize(expected.size());
    EXPECT_EQ(chosen, expected) << row["why"].as<std::string>();
  }
}

// Lowest and highest score of the backend's kernels on a CUDA device.
std::pair<int32_t, int32_t> scores_on(const std::string& backend, int32_t sm) {
  std::vector<int32_t> scores;
  for (const KernelManifest& kernel : manifest_of(backend).kernels) {
    if (std::ranges::find(kernel.sm, sm) != kernel.sm.end()) scores.push_back(kernel.score);
  }
  if (scores.empty()) throw std::runtime_error(backend + " has no kernel on this SM");
  const auto [low, high] = std::ranges::minmax(scores);
  return {low, high};
}

TEST(Preference, ScoresFallAlongTheEnginesOrder) {
  for (const YAML::Node& row : preferences()["scores"]) {
    const Names order = row["order"].as<Names>();
    const int32_t sm = row["sm"].as<int32_t>();
    for (size_t i = 1; i < order.size(); ++i) {
      EXPECT_GT(scores_on(order[i - 1], sm).first, scores_on(order[i], sm).second)
          << row["why"].as<std::string>() << ": " << order[i - 1] << " before " << order[i];
    }
  }
}

}  // namespace
}  // namespace attnrt::rules
