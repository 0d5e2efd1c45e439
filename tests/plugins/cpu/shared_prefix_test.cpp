// Shared prefixes against the oracle, which knows nothing of them, and their guarantees.
#include <gtest/gtest.h>

#include "tests/plugins/cpu/cpu_fixture.hpp"
#include "tests/plugins/cpu/each_isa.hpp"

namespace attnrt::testing {
namespace {

// Six sequences that share 640 keys, of other lengths and queries, some of which stand within them;
// two that share fewer; one that shares nothing and fills an item alone.
CpuCase shared_case() {
  CpuCase c;
  c.q_heads = 4;
  c.lengths = {{1, 700},  {1, 641}, {50, 90}, {3, 641}, {1, 1200},
               {5, 1000}, {1, 300}, {1, 400}, {1, 640}};
  for (const size_t n : {1, 3, 4, 5, 8}) c.shared.push_back({0, n, 640});
  c.shared.push_back({6, 7, 288});
  return c;
}

TEST(SharedPrefix, InEveryFormat) {
  for (const char* format : {"f32", "f16", "bf16", "fp8_e4m3", "int8_per_token_head",
                             "fp8_per_token_head", "nvfp4_linear", "nvfp4_swizzled"}) {
    for (const int32_t layout : {ATTNRT_LAYOUT_NHD, ATTNRT_LAYOUT_HND}) {
      CpuCase c = shared_case();
      c.format = format;
      c.layout = layout;
      expect_all_close(c);
    }
  }
}

TEST(SharedPrefix, OfLatentRows) {
  CpuCase c = shared_case();
  c.format = "fp8_ds_mla_v32";
  c.latent = true;
  c.q_heads = 16;
  c.kv_heads = 1;
  c.qk = 576;
  c.v = 512;
  expect_all_close(c);
}

TEST(SharedPrefix, AFalseHintChangesNothing) {
  CpuCase c = shared_case();
  const CpuFixture without(c);
  c.hint = 4096;
  const CpuFixture with(c);
  for (const std::string& isa : cpu::available_isas()) {
    EXPECT_EQ(without.run(isa).out, with.run(isa).out) << isa;
  }
}

struct Masked {
  const char* name;
  uint64_t features;
  int32_t window;
  float softcap;
};

class SharedPrefixFeatures : public ::testing::TestWithParam<Masked> {};

TEST_P(SharedPrefixFeatures, AreAsTheOracleComputesThem) {
  for (const char* format : {"f16", "bf16"}) {
    for (const int32_t group : {1, 6}) {
      CpuCase c = shared_case();
      c.format = format;
      c.q_heads = 2 * group;
      c.features = GetParam().features | ATTNRT_FEATURE_LSE;
      c.window = GetParam().window;
      c.softcap = GetParam().softcap;
      expect_all_close(c);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, SharedPrefixFeatures,
    ::testing::Values(
        Masked{"causal", ATTNRT_FEATURE_CAUSAL, 0, 0},
        Masked{"non_causal", ATTNRT_FEATURE_NON_CAUSAL, 0, 0},
        Masked{"cross", ATTNRT_FEATURE_CROSS, 0, 0},
        Masked{"tree_mask", ATTNRT_FEATURE_TREE_MASK, 0, 0},
        Masked{"prefix_lm", ATTNRT_FEATURE_PREFIX_LM, 0, 0},
        Masked{"window_beside_the_prefix", ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_WINDOW, 100, 0},
        Masked{"window_into_the_prefix", ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_WINDOW, 450, 0},
        Masked{"window_tree", ATTNRT_FEATURE_TREE_MASK | ATTNRT_FEATURE_WINDOW, 450, 0},
        Masked{"window_prefix", ATTNRT_FEATURE_PREFIX_LM | ATTNRT_FEATURE_WINDOW, 450, 0},
        Masked{"sinks", ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_SINKS, 0, 0},
        Masked{"softcap", ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_SOFTCAP, 0, 2.5F},
        Masked{"alibi", ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_ALIBI, 0, 0},
        Masked{"per_head_scales", ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_PER_HEAD_SCALES, 0, 0},
        Masked{"everything",
               ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_WINDOW | ATTNRT_FEATURE_SINKS |
                   ATTNRT_FEATURE_SOFTCAP | ATTNRT_FEATURE_ALIBI | ATTNRT_FEATURE_PER_HEAD_SCALES,
               450, 5.0F}),
    [](const auto& chosen) { return std::string(chosen.param.name); });

TEST(SharedPrefix, ThreadsChangeNoBit) {
  const CpuFixture fixture(shared_case());
  for (const std::string& isa : cpu::available_isas()) {
    const Result one = fixture.run(isa, 1);
    for (const int32_t threads : {2, 7, 0}) {
      const Result more = fixture.run(isa, threads);
      EXPECT_EQ(one.out, more.out) << isa << ", " << threads << " threads";
      EXPECT_EQ(one.lse, more.lse) << isa << ", " << threads << " threads";
    }
  }
}

TEST(SharedPrefix, BatchInvariantMeansTheSameBitsAsAlone) {
  CpuCase c = shared_case();
  c.features |= ATTNRT_FEATURE_BATCH_INVARIANT;
  const CpuFixture fixture(c);
  for (const std::string& isa : cpu::available_isas()) {
    const Result together = fixture.run(isa, 2);
    int64_t row = 0;
    for (size_t n = 0; n < c.lengths.size(); ++n) {
      const Result alone = fixture.run_alone(isa, n);
      const auto begin = together.out.begin() + row;
      row += static_cast<int64_t>(alone.out.size());
      EXPECT_EQ(std::vector<double>(begin, together.out.begin() + row), alone.out) << isa << n;
    }
  }
}

TEST(SharedPrefix, IsReadTogether) {
  // With the guarantee nothing is shared: other bits, or the prefix was not shared without it.
  CpuCase c = shared_case();
  c.lengths = {{1, 700}, {1, 700}, {1, 700}};
  c.shared = {{0, 1, 640}, {0, 2, 640}};
  c.features |= ATTNRT_FEATURE_BATCH_INVARIANT;
  const CpuFixture apart(c);
  c.features &= ~ATTNRT_FEATURE_BATCH_INVARIANT;
  const CpuFixture together(c);
  for (const std::string& isa : cpu::available_isas()) {
    EXPECT_NE(apart.run(isa).out, together.run(isa).out) << isa;
  }
}

}  // namespace
}  // namespace attnrt::testing
