// Figures become a profile: a mean a kernel and class, over the shapes that all kernels had.
#include <gtest/gtest.h>

#include "bench/measured_profile.hpp"
#include "tests/bench/figures.hpp"

namespace attnrt::bench {
namespace {

SweepResult result(std::vector<Figure> figures) {
  SweepResult r;
  r.machine = "machine";
  r.figures = std::move(figures);
  return r;
}

TEST(MeasuredProfile, TakesGeometricMeansFastestFirst) {
  const Profile p =
      measured_profile(result({test::figure("a", "slow", 8), test::figure("a", "fast", 1),
                               test::figure("b", "slow", 2), test::figure("b", "fast", 4)}),
                       Device{.kind = DeviceKind::kCpu, .ordinal = 0});
  EXPECT_EQ(p.machine, "machine");
  EXPECT_EQ(p.threads, 2);
  ASSERT_EQ(p.entries.size(), 1u);
  EXPECT_EQ(p.entries[0].shapes, 2);
  ASSERT_EQ(p.entries[0].kernels.size(), 2u);
  EXPECT_EQ(p.entries[0].kernels[0].plugin, "fast");
  EXPECT_DOUBLE_EQ(p.entries[0].kernels[0].ms, 2);
  EXPECT_DOUBLE_EQ(p.entries[0].kernels[1].ms, 4);
}

TEST(MeasuredProfile, ComparesOnlyWhereAllWereMeasured) {
  const Profile p = measured_profile(
      result({test::figure("a", "x", 8), test::figure("a", "y", 1), test::figure("b", "y", 400)}),
      Device{});
  ASSERT_EQ(p.entries.size(), 1u);
  EXPECT_EQ(p.entries[0].shapes, 1);
  EXPECT_EQ(p.entries[0].kernels[0].plugin, "y");
  EXPECT_DOUBLE_EQ(p.entries[0].kernels[0].ms, 1);
}

TEST(MeasuredProfile, LeavesOutAClassWhoseKernelsHaveNothingInCommon) {
  const Profile p =
      measured_profile(result({test::figure("a", "x", 8), test::figure("b", "y", 1)}), Device{});
  EXPECT_TRUE(p.entries.empty());
}

TEST(MeasuredProfile, SeparatesClassesAndTakesTheMostThreads) {
  Figure wide = test::figure("a", "x", 3);
  wide.plan.request.head_dim = {256, 256};
  Figure one_thread = test::figure("a", "x", 5);
  one_thread.threads = 1;
  const Profile p =
      measured_profile(result({test::figure("a", "x", 2), wide, one_thread}), Device{});
  ASSERT_EQ(p.entries.size(), 2u);
  EXPECT_DOUBLE_EQ(p.entries[0].kernels[0].ms, 2);
  EXPECT_DOUBLE_EQ(p.entries[1].kernels[0].ms, 3);
}

TEST(MeasuredProfile, OfNothingIsEmpty) {
  EXPECT_TRUE(measured_profile(result({}), Device{}).entries.empty());
}

}  // namespace
}  // namespace attnrt::bench
