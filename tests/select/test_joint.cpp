// The joint choice alone: the steps of its order, and the search for few plugins.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "select/plugin_sets.hpp"

namespace attnrt {
namespace {

using testing::ElementsAre;

// An option whose three ops are each served by any of the plugins.
JointOption option(int64_t score, int64_t page, int32_t block, std::vector<uint32_t> plugins) {
  JointOption o{.score = score, .page_bytes = page, .block_size = block};
  for (auto& kernels : o.kernels) {
    for (uint32_t p : plugins) kernels.push_back({p, p, p});
  }
  return o;
}

size_t chosen(std::vector<JointOption> options) {
  return choose_jointly({{1, std::move(options)}}).choices[0].option;
}

TEST(Joint, PolicyThenScoreThenBytesThenPluginsThenBlockThenFormat) {
  JointOption preferred = option(0, 100, 16, {1});
  JointOption other = option(50, 1, 16, {0});
  other.policy_ranks = {0, 0, 1};
  EXPECT_EQ(chosen({other, preferred}), 1u);
  EXPECT_EQ(chosen({option(10, 1, 16, {0}), option(20, 100, 16, {0})}), 1u);
  EXPECT_EQ(chosen({option(10, 33, 16, {0}), option(10, 64, 32, {0})}), 1u);  // 2 a token
  JointOption two_plugins = option(10, 16, 16, {0});
  two_plugins.kernels[2] = {{1, 1, 1}};
  EXPECT_EQ(chosen({two_plugins, option(10, 32, 32, {2})}), 1u);
  EXPECT_EQ(chosen({option(10, 64, 64, {0}), option(10, 8, 8, {0}), option(10, 32, 32, {0})}), 1u);
  JointOption later_format = option(10, 16, 16, {0});
  later_format.format_order = 1;
  EXPECT_EQ(chosen({later_format, option(10, 16, 16, {0})}), 1u);
}

TEST(Joint, APoolsPageCouplesTheClasses) {
  // Alone, the second class would take block 8 (nearest 16 of none padded); beside pages of 64 it
  // takes the block that fills them.
  const JointClass big{2, {option(0, 64, 16, {0})}};
  const JointClass small{1,
                         {option(0, 16, 8, {0}), option(0, 32, 16, {0}), option(0, 64, 32, {0})}};
  const JointPlan plan = choose_jointly({big, small});
  EXPECT_EQ(plan.pool_page_bytes, 64);
  EXPECT_EQ(plan.choices[1].option, 2u);
}

TEST(Joint, ALargerPageMayCostLess) {
  // 48-byte pages leave 16 of 64 unused; doubling the small ones fills 96 of 96.
  const JointClass a{1, {option(0, 64, 16, {0}), option(0, 96, 24, {0})}};
  const JointClass b{1, {option(0, 48, 16, {0}), option(0, 96, 32, {0})}};
  const JointPlan plan = choose_jointly({a, b});
  EXPECT_EQ(plan.pool_page_bytes, 96);
}

TEST(PluginSets, AreTheSmallestThatCoverAllClasses) {
  // Greedy by frequency would take 3 (it serves two classes), and then needs two more.
  const std::vector<JointClass> classes{{1, {option(0, 1, 16, {1, 3})}},
                                        {1, {option(0, 1, 16, {1})}},
                                        {1, {option(0, 1, 16, {2, 3})}},
                                        {1, {option(0, 1, 16, {2})}}};
  const auto sets = smallest_plugin_sets(classes, {{0}, {0}, {0}, {0}});
  ASSERT_EQ(sets.size(), 1u);
  EXPECT_THAT(sets[0].plugins(), ElementsAre(1, 2));
}

TEST(PluginSets, StopCountingWhereThereAreTooMany) {
  // 60 plugins, each alone for one of 60 classes: only all of them do.
  std::vector<JointClass> classes;
  for (uint32_t p = 0; p < 60; ++p) classes.push_back({1, {option(0, 1, 16, {p})}});
  const auto sets =
      smallest_plugin_sets(classes, std::vector<std::vector<size_t>>(60, std::vector<size_t>{0}));
  ASSERT_EQ(sets.size(), 1u);
  EXPECT_EQ(sets[0].size(), 60u);
}

}  // namespace
}  // namespace attnrt
