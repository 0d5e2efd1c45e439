// int4_per_token_head of the cpu plugin against the oracle: rows that stand rotated.
#include <gtest/gtest.h>

#include "tests/plugins/cpu/cpu_fixture.hpp"

namespace attnrt::testing {
namespace {

CpuCase int4_case() {
  CpuCase c;
  c.format = "int4_per_token_head";
  c.lengths = {{1, 70}, {40, 75}, {3, 3}};
  return c;
}

TEST(Int4, EveryQueryAndOutputType) {
  for (const int32_t q : {ATTNRT_DTYPE_F32, ATTNRT_DTYPE_F16, ATTNRT_DTYPE_BF16}) {
    for (const int32_t out : {ATTNRT_DTYPE_F32, ATTNRT_DTYPE_F16, ATTNRT_DTYPE_BF16}) {
      CpuCase c = int4_case();
      c.q_dtype = q;
      c.out_dtype = out;
      expect_all_close(c);
    }
  }
}

struct Sizes {
  int32_t qk;
  int32_t v;
};

TEST(Int4, EveryHeadSize) {
  for (const Sizes s : {Sizes{32, 32},
                        {64, 64},
                        {128, 128},
                        {256, 256},
                        {512, 512},
                        {64, 128},
                        {128, 64},
                        {256, 128}}) {
    CpuCase c = int4_case();
    c.qk = s.qk;
    c.v = s.v;
    expect_all_close(c);
  }
}

TEST(Int4, FewRowsAndMany) {
  for (const int32_t group : {1, 3, 8, 16, 17, 128}) {
    for (const int32_t layout : {ATTNRT_LAYOUT_NHD, ATTNRT_LAYOUT_HND}) {
      CpuCase c = int4_case();
      c.q_heads = 2 * group;
      c.layout = layout;
      c.lengths = {{1, 130}, {3, 67}};
      expect_all_close(c);
    }
  }
}

TEST(Int4, BlocksOfAnySizeAndPaddedPages) {
  for (const int32_t block : {1, 3, 16, 100, 256}) {
    for (const int32_t gap : {0, 1, 3}) {
      CpuCase c = int4_case();
      c.block_size = block;
      c.gap = gap;
      c.lengths = {{1, 300}, {9, 129}};
      expect_all_close(c);
    }
  }
}

TEST(Int4, SplitContexts) {
  for (const uint64_t invariant : {uint64_t{0}, ATTNRT_FEATURE_BATCH_INVARIANT}) {
    CpuCase c = int4_case();
    c.features |= ATTNRT_FEATURE_SINKS | invariant;
    c.lengths = {{1, 3001}, {4, 1300}};
    expect_all_close(c);
  }
}

}  // namespace
}  // namespace attnrt::testing
