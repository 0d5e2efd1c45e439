// Every recorded case, in many layouts, to 1e-12 in double.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/plugins/reference/attention_fixture.hpp"

namespace attnrt::testing {
namespace {

constexpr double kTolerance = 1e-12;

void expect_near(const std::vector<double>& got, const std::vector<double>& recorded,
                 const char* what) {
  ASSERT_EQ(got.size(), recorded.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isinf(recorded[i])) {
      ASSERT_EQ(got[i], recorded[i]) << what << " " << i;
      continue;
    }
    const double allowed = kTolerance * std::max(1.0, std::abs(recorded[i]));
    ASSERT_NEAR(got[i], recorded[i], allowed) << what << " " << i;
  }
}

class RecordedAttention : public ::testing::TestWithParam<std::string> {
 protected:
  void check(PluginDriver& driver, const Variant& variant) {
    const RecordedCase& c = recorded_case(GetParam());
    SCOPED_TRACE("block size " + std::to_string(variant.block_size) + ", layout " +
                 std::string(name(variant.layout)) + ", gap " + std::to_string(variant.gap) +
                 ", op " + std::to_string(variant.op));
    const Outcome got = run(driver, c, variant);
    expect_near(got.out, c.out, "out");
    if (!got.lse.empty()) expect_near(got.lse, c.lse, "lse");
    EXPECT_TRUE(got.padding_untouched);
  }
};

TEST_P(RecordedAttention, AgreesInEveryLayout) {
  PluginDriver driver(kReferencePlugin);
  for (const int32_t block_size : {4, 16, 64}) {
    for (const Layout layout : {Layout::kNhd, Layout::kHnd}) {
      for (const int32_t gap : {0, 3}) {
        Variant variant;
        variant.block_size = block_size;
        variant.layout = layout;
        variant.gap = gap;
        variant.seed = static_cast<uint32_t>(block_size + gap);
        ASSERT_NO_FATAL_FAILURE(check(driver, variant));
      }
    }
  }
}

TEST_P(RecordedAttention, AgreesWhateverTheOpIsCalled) {
  PluginDriver driver(kReferencePlugin);
  for (const int32_t op : {ATTNRT_OP_PREFILL, ATTNRT_OP_DECODE, ATTNRT_OP_MIXED}) {
    Variant variant;
    variant.op = op;
    ASSERT_NO_FATAL_FAILURE(check(driver, variant));
  }
}

TEST_P(RecordedAttention, AgreesOnSeveralThreadsAndWithoutTheHosts) {
  for (const int32_t threads : {0, 3}) {
    DriverOptions options;
    options.threads = threads;
    PluginDriver driver(kReferencePlugin, options);
    ASSERT_NO_FATAL_FAILURE(check(driver, {}));
  }
}

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const RecordedCase& c : recorded_cases()) names.push_back(c.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Cases, RecordedAttention, ::testing::ValuesIn(case_names()),
                         [](const auto& chosen) { return chosen.param; });

// Blocks of one token and of odd sizes, which formats with permuted scales do not have.
TEST(RecordedAttentionInOddBlocks, Agrees) {
  PluginDriver driver(kReferencePlugin);
  for (const std::string name : {"causal", "window", "latent", "format_int8_per_token_head"}) {
    for (const int32_t block_size : {1, 7, 1024}) {
      Variant variant;
      variant.block_size = block_size;
      const RecordedCase& c = recorded_case(name);
      ASSERT_NO_FATAL_FAILURE(expect_near(run(driver, c, variant).out, c.out, name.c_str()));
    }
  }
}

TEST(Lse, IsRoundedToF32WhereTheTensorIsF32) {
  PluginDriver driver(kReferencePlugin);
  const RecordedCase& c = recorded_case("everything");
  Variant variant;
  variant.lse_dtype = ATTNRT_DTYPE_F32;
  const Outcome got = run(driver, c, variant);
  for (size_t i = 0; i < c.lse.size(); ++i) {
    EXPECT_NEAR(got.lse[i], c.lse[i], 1e-7 * std::max(1.0, std::abs(c.lse[i])));
  }
}

}  // namespace
}  // namespace attnrt::testing
