// How often a shape's caches stand in memory, so that none is warm.
#include <gtest/gtest.h>

#include "bench/case.hpp"

namespace attnrt::bench {
namespace {

constexpr int64_t kMib = int64_t{1} << 20;

TEST(CopiesFor, OneWhereTheShapeIsLargeEnough) {
  const Copies copies = copies_for(512.0 * kMib, 256 * kMib);
  EXPECT_EQ(copies.layers, 1);
  EXPECT_EQ(copies.batches, 1);
}

TEST(CopiesFor, HoldAtLeastWhatIsToBeWalked) {
  for (const double kv_bytes : {64e3, 135e3, 2e6, 3.3e6, 17e6, 64e6, 200e6}) {
    const Copies copies = copies_for(kv_bytes, 256 * kMib);
    EXPECT_GE(kv_bytes * copies.layers * copies.batches, 256.0 * kMib) << kv_bytes;
    EXPECT_LE(copies.layers, 64);
  }
}

TEST(CopiesFor, TinyShapesDoNotFillTheSessionWithBatches) {
  const Copies copies = copies_for(512, 256 * kMib);
  EXPECT_EQ(copies.layers, 64);
  EXPECT_EQ(copies.batches, 1024);
}

}  // namespace
}  // namespace attnrt::bench
