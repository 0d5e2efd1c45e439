// The selector against the rules read straight off the manifests, on random catalogs and requests.
#include <gtest/gtest.h>

#include <tuple>

#include "select/compiled.hpp"
#include "tests/select/oracle.hpp"
#include "tests/select/random_catalogs.hpp"

namespace attnrt {
namespace {

std::set<std::string> names(uint32_t failed) {
  std::set<std::string> all;
  for (int i = 0; i < kRuleCount; ++i) {
    if ((failed >> i & 1) != 0) all.insert(std::string(name(static_cast<Rule>(i))));
  }
  return all;
}

TEST(SelectOracle, EveryReasonAndEveryChoiceAgree) {
  test::RandomCatalogs random(1);
  int served = 0, refused = 0;
  for (int round = 0; round < 8000; ++round) {
    const Catalog catalog = test::catalog(random.plugins(5));
    const auto count = static_cast<uint32_t>(catalog.entries().size());
    const Policy policy = random.policy(count);
    const Request request = random.request();
    const Decision decision = select(request, catalog, policy);

    using Key = std::tuple<size_t, int32_t, std::string, size_t>;
    std::optional<Key> best;
    size_t index = 0;
    for (const CatalogEntry& entry : catalog.entries()) {
      for (const KernelManifest& k : entry.manifest.kernels) {
        const auto expected = test::failed_rules(request, entry, k, policy);
        ASSERT_EQ(names(decision.candidates[index].failed), expected) << round;
        const auto at = std::find(policy.prefer.begin(), policy.prefer.end(), entry.manifest.name);
        const Key key{at - policy.prefer.begin(), -k.score, entry.manifest.name, index};
        if (expected.empty() && (!best || key < *best)) best = key;
        ++index;
      }
    }
    ASSERT_EQ(decision.candidates.size(), index);
    ASSERT_EQ(decision.chosen.has_value(), best.has_value()) << round;
    if (best) {
      ASSERT_EQ(*decision.chosen, std::get<3>(*best)) << round;
    }
    ++(best ? served : refused);
  }
  EXPECT_GT(served, 100);
  EXPECT_GT(refused, 100);
}

TEST(SelectOracle, TheOrderOfTheCatalogDoesNotMatter) {
  test::RandomCatalogs random(2);
  for (int round = 0; round < 300; ++round) {
    std::vector<CatalogEntry> entries = random.plugins(5);
    const Request request = random.request();
    const auto chosen = [&request](const Catalog& catalog) -> std::string {
      const Decision d = select(request, catalog);
      if (!d.chosen) return "";
      const Candidate& c = d.candidates[*d.chosen];
      const Manifest& m = catalog.entries()[c.plugin].manifest;
      return m.name + "." + m.kernels[c.kernel].name;
    };
    const std::string before = chosen(test::catalog(entries));
    std::reverse(entries.begin(), entries.end());
    EXPECT_EQ(chosen(test::catalog(entries)), before) << round;
  }
}

}  // namespace
}  // namespace attnrt
