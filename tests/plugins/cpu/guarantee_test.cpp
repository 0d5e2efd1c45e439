// Guarantees: the same bits whatever the number of threads, and, with batch_invariant, whatever
// else is in the batch.
#include <gtest/gtest.h>

#include "tests/plugins/cpu/cpu_fixture.hpp"
#include "tests/plugins/cpu/each_isa.hpp"

namespace attnrt::testing {
namespace {

CpuCase mixed_case(const char* format) {
  CpuCase c;
  c.format = format;
  c.q_heads = 8;
  c.lengths = {{1, 5000}, {130, 400}, {1, 3}, {16, 1100}, {1, 900}};
  return c;
}

TEST(Guarantee, ThreadsChangeNoBit) {
  for (const char* format : {"bf16", "int8_per_token_head", "int4_per_token_head"}) {
    const CpuFixture fixture(mixed_case(format));
    for (const std::string& isa : cpu::available_isas()) {
      const Result one = fixture.run(isa, 1);
      for (const int32_t threads : {2, 3, 7, 0}) {  // 0: the plugin's own
        const Result more = fixture.run(isa, threads);
        EXPECT_EQ(one.out, more.out) << isa << ", " << threads << " threads";
        EXPECT_EQ(one.lse, more.lse) << isa << ", " << threads << " threads";
      }
    }
  }
}

TEST(Guarantee, BatchInvariantMeansTheSameBits) {
  for (const int32_t layout : {ATTNRT_LAYOUT_NHD, ATTNRT_LAYOUT_HND}) {
    CpuCase c = mixed_case("bf16");
    c.features |= ATTNRT_FEATURE_BATCH_INVARIANT;
    c.layout = layout;
    const CpuFixture fixture(c);
    for (const std::string& isa : cpu::available_isas()) {
      const Result together = fixture.run(isa, 2);
      size_t row = 0;
      for (size_t n = 0; n < c.lengths.size(); ++n) {
        const Result alone = fixture.run_alone(isa, n);
        const size_t values = alone.out.size();
        const std::vector<double> part(together.out.begin() + static_cast<int64_t>(row),
                                       together.out.begin() + static_cast<int64_t>(row + values));
        EXPECT_EQ(part, alone.out) << isa << ", sequence " << n;
        row += values;
      }
    }
  }
}

TEST(Guarantee, TheSplitStaysWithinTheBound) {
  // One division follows the batch, the other the sequence: different splits of the same work.
  CpuCase c = mixed_case("fp8_e4m3");
  const CpuFixture by_batch(c);
  c.features |= ATTNRT_FEATURE_BATCH_INVARIANT;
  const CpuFixture by_sequence(c);
  for (const std::string& isa : cpu::available_isas()) {
    const Result a = by_batch.run(isa);
    const Result b = by_sequence.run(isa);
    EXPECT_NE(a.out, b.out) << "the splits should differ, else this proves nothing";
    by_batch.expect_close(a);
    by_batch.expect_close(b);
  }
}

}  // namespace
}  // namespace attnrt::testing
