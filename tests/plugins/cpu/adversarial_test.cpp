// Values that break careless arithmetic: outliers, ties, cancellation, subnormals, saturation, and
// contexts so long that errors could add up.
#include <gtest/gtest.h>

#include "tests/plugins/cpu/cpu_fixture.hpp"

namespace attnrt::testing {
namespace {

class Adversarial : public ::testing::TestWithParam<Fill> {};

TEST_P(Adversarial, StaysWithinTheBound) {
  for (const char* format :
       {"f32", "f16", "bf16", "fp8_e4m3", "fp8_e5m2", "fp8_e4m3fnuz", "int8_per_token_head",
        "fp8_per_token_head", "int4_per_token_head", "nvfp4_linear", "nvfp4_swizzled"}) {
    // bf16 queries take other ways: dot products of bf16, matrix units.
    for (const int32_t q : {ATTNRT_DTYPE_F32, ATTNRT_DTYPE_BF16}) {
      CpuCase c;
      c.format = format;
      c.fill = GetParam();
      c.q_dtype = q;
      c.lengths = {{1, 700}, {33, 130}};
      expect_all_close(c);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Fills, Adversarial,
                         ::testing::Values(Fill::kOutlier, Fill::kEqual, Fill::kAlternating,
                                           Fill::kSubnormal, Fill::kHuge));

TEST(LongContext, StaysWithinTheBound) {
  for (const char* format :
       {"bf16", "fp8_e4m3", "int8_per_token_head", "int4_per_token_head", "nvfp4_linear"}) {
    CpuCase c;
    c.format = format;
    c.q_heads = 2;
    c.kv_heads = 1;
    c.qk = c.v = 32;
    c.lengths = {{1, 65536}};
    expect_all_close(c);
  }
}

}  // namespace
}  // namespace attnrt::testing
