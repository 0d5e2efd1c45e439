// The meters themselves: every loop of this machine runs, reads what it says, and gives a figure.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "attnrt/device.hpp"
#include "bench/machine/crew.hpp"
#include "bench/machine/huge_pages.hpp"
#include "bench/machine/limits.hpp"

namespace attnrt::bench {
namespace {

// The xor of all 64-bit words does not depend on the pattern, if each is read exactly once.
uint64_t xor_of(const HugeBuffer& buffer) {
  uint64_t all = 0;
  for (size_t i = 0; i < buffer.bytes(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, buffer.data() + i, 8);
    all ^= word;
  }
  return all;
}

TEST(ReadLoops, ReadEveryByteOnceInEveryPattern) {
  HugeBuffer buffer(8 * kReadStep * 5);
  for (size_t i = 0; i < buffer.bytes(); ++i) {
    buffer.data()[i] = static_cast<uint8_t>(i * 131 + i / 251);
  }
  const uint64_t wanted = xor_of(buffer);
  const std::vector<std::vector<std::string>> machines{{}, {"avx2"}, probe_host().cpu_features};
  for (const auto& features : machines) {
    const bool here =
        features.empty() || features != machines[1] ||
        std::find(machines[2].begin(), machines[2].end(), "avx2") != machines[2].end();
    if (!here) continue;
    const ReadLoop loop = widest_read_loop(features);
    for (const int32_t streams : {1, 2, 4, 8}) {
      for (const int32_t prefetch : {0, 1024}) {
        EXPECT_EQ(loop(buffer.data(), buffer.bytes(), {streams, prefetch}), wanted)
            << streams << " streams, prefetch " << prefetch;
      }
    }
  }
}

TEST(FlopUnits, ThereIsAlwaysOneForF32AndItIsFirst) {
  for (const auto& features : {std::vector<std::string>{}, probe_host().cpu_features}) {
    const std::vector<FlopUnit> units = flop_units(features);
    ASSERT_FALSE(units.empty());
    EXPECT_EQ(units.front().operands, Operands::kF32);
    for (const FlopUnit& unit : units) {
      EXPECT_GT(unit.flop_per_round, 0) << unit.name;
      EXPECT_TRUE(unit.run(3)) << unit.name;
    }
  }
}

TEST(Crew, RunsEveryJobOnceAndReturnsTheTimeOfAll) {
  std::atomic<int> sum{0};
  const double seconds = run_together(3, [&](int32_t i) { sum += 1 << i; });
  EXPECT_EQ(sum, 7);
  EXPECT_GE(seconds, 0);
  EXPECT_GE(usable_cpus(), 1);
}

TEST(Limits, EveryLevelAndUnitHasAFigure) {
  LimitOptions options;
  options.threads = 2;
  options.memory_bytes = 4 << 20;
  options.seconds = 1e-4;
  options.cpu_features = probe_host().cpu_features;
  options.caches = {.l1 = 16 << 10, .l2 = 256 << 10, .l3 = 0};
  MachineLimits limits = measure_limits(options);
  ASSERT_EQ(limits.read.size(), 3u);
  for (const ReadLimit& read : limits.read) EXPECT_GT(read.gb_s, 0) << read.level;
  ASSERT_FALSE(limits.flops.empty());
  for (const FlopLimit& unit : limits.flops) EXPECT_GT(unit.gflop_s, 0) << unit.name;
  const double before = limits.memory_gb_s();
  measure_memory_again(options, limits);
  EXPECT_GE(limits.memory_gb_s(), before) << "the better figure stays";
}

TEST(HugePages, ShareIsAPartOrUnknown) {
  HugeBuffer buffer(4 << 20);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % (2 << 20), 0u);
  std::memset(buffer.data(), 1, buffer.bytes());
  const double share = huge_page_share(buffer.data());
  EXPECT_TRUE(share == -1 || (share >= 0 && share <= 1)) << share;
  EXPECT_EQ(huge_page_share(nullptr), -1) << "no mapping there";
}

}  // namespace
}  // namespace attnrt::bench
