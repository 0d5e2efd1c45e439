// Why a kernel was chosen.
#include <gtest/gtest.h>

#include "attnrt/choice.hpp"
#include "attnrt/profile.hpp"
#include "tests/select/catalogs.hpp"

namespace attnrt {
namespace {

CatalogEntry entry(std::string name, int32_t score, int kernels = 1) {
  CatalogEntry e = test::plugin(std::move(name), {});
  for (int i = 0; i < kernels; ++i) {
    e.manifest.kernels.push_back(test::kernel("k" + std::to_string(i)));
    e.manifest.kernels.back().score = score;
  }
  return e;
}

Choice choice(std::vector<CatalogEntry> entries, const Policy& policy = {}) {
  const Catalog catalog = test::catalog(std::move(entries));
  const Decision d = select(test::request(), catalog, policy);
  return explain_choice(d, test::request(), catalog, policy);
}

Policy measured(std::vector<std::pair<std::string, double>> times) {
  Profile p;
  p.device = test::request().device;
  p.entries = {{*shape_class(test::request()), 1, {}}};
  for (auto& [plugin, ms] : times) p.entries[0].kernels.push_back({plugin, "", "k0", ms});
  Policy policy;
  policy.profile = std::make_shared<const Profile>(std::move(p));
  return policy;
}

TEST(Choice, OfOneKernelHasNoOther) {
  const Choice c = choice({entry("a", 1)});
  EXPECT_EQ(c.by, ChoiceReason::kOnlyOne);
  EXPECT_FALSE(c.next);
}

TEST(Choice, NamesTheFirstDifference) {
  Policy prefer;
  prefer.prefer = {"b"};
  EXPECT_EQ(choice({entry("a", 9), entry("b", 1)}, prefer).by, ChoiceReason::kPolicy);
  EXPECT_EQ(choice({entry("a", 9), entry("b", 1)}).by, ChoiceReason::kScore);
  EXPECT_EQ(choice({entry("a", 1), entry("b", 1)}).by, ChoiceReason::kName);
  EXPECT_EQ(choice({entry("a", 1, 2)}).by, ChoiceReason::kOrder);
}

TEST(Choice, NextIsTheBestOfTheOthers) {
  const Choice c = choice({entry("a", 1), entry("b", 9), entry("c", 5)});
  EXPECT_EQ(c.next, 2u);
}

TEST(Choice, MeasurementsSpeakWithTheirTimes) {
  const Choice c = choice({entry("a", 9), entry("b", 1)}, measured({{"a", 4}, {"b", 2}}));
  EXPECT_EQ(c.by, ChoiceReason::kProfile);
  EXPECT_EQ(c.next, 0u);
  EXPECT_EQ(c.ms, 2);
  EXPECT_EQ(c.next_ms, 4);
}

TEST(Choice, MeasurementsSpeakAlsoWhereAnUnmeasuredKernelStandsBetween) {
  const Choice c =
      choice({entry("a", 9), entry("b", 1), entry("c", 5)}, measured({{"a", 4}, {"b", 2}}));
  EXPECT_EQ(c.by, ChoiceReason::kProfile) << "b has a's score, and c comes behind";
  EXPECT_EQ(c.next, 0u);
}

TEST(Choice, AProfileThatComparedNothingIsNotTheReason) {
  EXPECT_EQ(choice({entry("a", 9), entry("b", 1)}, measured({{"a", 1}})).by, ChoiceReason::kScore);
  Policy prefer = measured({{"a", 4}, {"b", 2}});
  prefer.prefer = {"a"};
  EXPECT_EQ(choice({entry("a", 9), entry("b", 1)}, prefer).by, ChoiceReason::kPolicy);
}

}  // namespace
}  // namespace attnrt
