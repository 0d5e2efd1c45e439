// Which limit binds, and how far away a time is from it.
#include <gtest/gtest.h>

#include "tests/bench/figures.hpp"

namespace attnrt::bench {
namespace {

TEST(Roofline, TheLongerOfReadingAndComputingBinds) {
  const MachineLimits limits = test::limits();
  const Bound reading = binding_limit({50e9, 1e9}, DType::kF32, limits);
  EXPECT_EQ(reading.name, "memory");
  EXPECT_DOUBLE_EQ(reading.ms, 1000);
  const Bound computing = binding_limit({1e6, 200e9}, DType::kF32, limits);
  EXPECT_EQ(computing.name, "f32 FMA");
  EXPECT_DOUBLE_EQ(computing.ms, 1000);
}

TEST(Roofline, OnlyBf16QueriesMayUseBf16Units) {
  const MachineLimits limits = test::limits();
  EXPECT_EQ(peak_for(DType::kBf16, limits).name, "bf16 dot");
  EXPECT_EQ(peak_for(DType::kF16, limits).name, "f32 FMA");
  EXPECT_EQ(peak_for(DType::kF32, limits).name, "f32 FMA");
}

TEST(Roofline, Bf16QueriesTakeF32WhereThatIsFaster) {
  MachineLimits limits = test::limits();
  limits.flops[1].gflop_s = 100;
  EXPECT_EQ(peak_for(DType::kBf16, limits).name, "f32 FMA");
}

TEST(Roofline, AFigureSaysItsShareOfTheLimit) {
  Figure f = test::figure("a", "p", 2);
  f.limit = {"memory", 1};
  EXPECT_DOUBLE_EQ(f.share_of_limit(), 0.5);
  EXPECT_DOUBLE_EQ(f.kv_gb_s(), f.work.kv_bytes / 2e6);
  EXPECT_DOUBLE_EQ(f.gflop_s(), f.work.flop / 2e6);
}

}  // namespace
}  // namespace attnrt::bench
