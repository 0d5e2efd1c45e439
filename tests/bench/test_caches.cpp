// How much KV is walked, and the working sets that limits are measured on.
#include <gtest/gtest.h>

#include "bench/machine/caches.hpp"
#include "bench/machine/limits.hpp"

namespace attnrt::bench {
namespace {

constexpr int64_t kMib = int64_t{1} << 20;
constexpr int64_t kGib = 1024 * kMib;

TEST(ColdBytes, AtLeast256MiBAndTwiceTheLastCache) {
  EXPECT_EQ(cold_bytes({}, 64 * kGib), 256 * kMib);
  EXPECT_EQ(cold_bytes({.l3 = 32 * kMib}, 64 * kGib), 256 * kMib);
  EXPECT_EQ(cold_bytes({.l3 = 300 * kMib}, 64 * kGib), 600 * kMib);
}

TEST(ColdBytes, StayWithinAGibibyteAndAQuarterOfMemory) {
  EXPECT_EQ(cold_bytes({.l3 = 4 * kGib}, 64 * kGib), kGib);
  EXPECT_EQ(cold_bytes({.l3 = 4 * kGib}, 2 * kGib), 512 * kMib);
  EXPECT_EQ(cold_bytes({.l3 = 4 * kGib}, kMib), 256 * kMib);
  EXPECT_EQ(cold_bytes({.l3 = 4 * kGib}, 0), kGib) << "memory unknown";
}

LimitOptions options(int32_t threads) {
  LimitOptions o;
  o.threads = threads;
  o.memory_bytes = 512 * kMib;
  o.caches = {.l1 = 32 << 10, .l2 = kMib, .l3 = 64 * kMib};
  return o;
}

TEST(WorkingSets, OneALevelAndMemoryLast) {
  const std::vector<WorkingSet> sets = working_sets(options(2));
  ASSERT_EQ(sets.size(), 4u);
  EXPECT_EQ(sets[0].level, "L1");
  EXPECT_EQ(sets[0].bytes, 32 << 10) << "half of each core's";
  EXPECT_EQ(sets[1].bytes, kMib);
  EXPECT_EQ(sets[2].level, "L3");
  EXPECT_EQ(sets[2].bytes, 32 * kMib);
  EXPECT_EQ(sets[3].level, "memory");
  EXPECT_EQ(sets[3].bytes, 512 * kMib);
}

TEST(WorkingSets, AnL3ThatAllL2FillIsNotMeasured) {
  const std::vector<WorkingSet> sets = working_sets(options(32));
  ASSERT_EQ(sets.size(), 3u);
  EXPECT_EQ(sets[2].level, "memory");
}

TEST(WorkingSets, EveryThreadHasWholeStepsOfEveryStream) {
  for (const int32_t threads : {1, 3, 7}) {
    for (const WorkingSet& set : working_sets(options(threads))) {
      EXPECT_EQ(set.bytes % (threads * 8 * static_cast<int64_t>(kReadStep)), 0) << set.level;
    }
  }
}

TEST(CacheSizes, GrowFromLevelToLevelWhereTheSystemTellsThem) {
  const CacheSizes sizes = cache_sizes();
  if (sizes.l1 > 0 && sizes.l2 > 0) {
    EXPECT_LT(sizes.l1, sizes.l2);
  }
  if (sizes.l2 > 0 && sizes.l3 > 0) {
    EXPECT_LT(sizes.l2, sizes.l3);
  }
}

}  // namespace
}  // namespace attnrt::bench
