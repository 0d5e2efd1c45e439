// A case through real plugins: every copy of the caches gives the same numbers, and they are those
// of the oracle. Values are the same for every backend, since seed and blocks are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "bench/case.hpp"

namespace attnrt::bench {
namespace {

class CaseTest : public testing::Test {
 protected:
  static CaseOptions options(const std::string& format, const std::string& backend) {
    CaseOptions o;
    o.shape.name = "small";
    o.shape.batch = 3;
    o.shape.kv_len = 1100;  // more than is stored at once, and no whole number of blocks
    o.shape.q_heads = 8;
    o.shape.kv_heads = 2;
    o.shape.head_dim = {64, 64};
    o.shape.block_size = 16;
    o.format = *parse_spelling(format);
    o.backend = backend;
    o.device = *parse_device("cpu", probe_host());
    o.walked_bytes = int64_t{200} << 20;  // several batches of 64 layers
    return o;
  }
  Result<std::unique_ptr<Case>> open(const CaseOptions& o) { return Case::open(o, registry_); }
  bool has(const std::string& plugin) const {
    for (const ScannedPlugin& p : registry_.plugins()) {
      if (p.manifest.name == plugin) return true;
    }
    return false;
  }
  static std::vector<uint8_t> attend(Case& c) {
    EXPECT_TRUE(c.attend().ok());
    return {c.output().begin(), c.output().end()};
  }
  static PluginRegistry scan() {
    SearchOptions search;
    search.path = {std::string(ATTNRT_BINARY_DIR) + "/plugins"};
    return PluginRegistry::scan(search);
  }
  PluginRegistry registry_ = scan();
};

std::vector<float> floats(const std::vector<uint8_t>& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST_F(CaseTest, EveryCopyOfTheCachesHoldsTheSameNumbers) {
  if (!has("cpu")) GTEST_SKIP() << "without the cpu plugin";
  for (const char* format : {"bf16", "int8_per_token_head"}) {
    CaseOptions o = options(format, "cpu");
    auto opened = open(o);
    ASSERT_TRUE(opened.ok()) << to_string(opened.error());
    Case& c = **opened;
    ASSERT_EQ(c.copies().layers, 64);
    ASSERT_GT(c.copies().batches, 1);
    EXPECT_GE(c.walked_bytes(), static_cast<double>(o.walked_bytes));
    const std::vector<uint8_t> first = attend(c);
    const int32_t turns = c.copies().layers * c.copies().batches;
    for (int32_t turn = 1; turn <= turns; ++turn) {
      ASSERT_EQ(attend(c), first) << format << ", turn " << turn;
    }
    EXPECT_TRUE(c.check_output().ok());
  }
}

TEST_F(CaseTest, BackendsAgreeWithTheOracle) {
  if (!has("cpu") || !has("reference")) GTEST_SKIP() << "without both plugins";
  for (const bool prefill : {false, true}) {
    std::vector<float> outputs[2];
    for (const int i : {0, 1}) {
      CaseOptions o = options("f32", i == 0 ? "cpu" : "reference");
      o.walked_bytes = 1;
      o.shape.op = prefill ? Op::kPrefill : Op::kDecode;
      o.shape.q_len = prefill ? 5 : 1;
      auto opened = open(o);
      ASSERT_TRUE(opened.ok()) << to_string(opened.error());
      EXPECT_EQ((*opened)->plan().plugin, o.backend);
      outputs[i] = floats(attend(**opened));
    }
    ASSERT_EQ(outputs[0].size(), outputs[1].size());
    double largest = 0;
    for (size_t i = 0; i < outputs[0].size(); ++i) {
      EXPECT_NEAR(outputs[0][i], outputs[1][i], 1e-4) << i;
      largest = std::max(largest, std::fabs(double(outputs[1][i])));
    }
    EXPECT_GT(largest, 1e-3) << "not all zeros";
  }
}

TEST_F(CaseTest, ABackendThatCannotServeIsAnErrorWithItsReasons) {
  if (!has("reference")) GTEST_SKIP() << "without the oracle";
  CaseOptions o = options("turboquant_k8v4", "reference");
  const auto plan = plan_case(o, registry_.catalog());
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code, ErrorCode::kNoBackend);
  EXPECT_THAT(to_string(plan.error()), testing::HasSubstr("turboquant_k8v4 on reference"));
  EXPECT_THAT(plan.error().remedy, testing::HasSubstr("kv "));
  EXPECT_THAT(plan.error().remedy, testing::Not(testing::HasSubstr("skip"))) << "one layer";
}

TEST_F(CaseTest, WithoutANameTheSelectorChooses) {
  if (!has("reference")) GTEST_SKIP() << "without the oracle";
  CaseOptions o = options("bf16", "");
  const auto plan = plan_case(o, registry_.catalog());
  ASSERT_TRUE(plan.ok()) << to_string(plan.error());
  EXPECT_EQ(plan->plugin, has("cpu") ? "cpu" : "reference");
}

}  // namespace
}  // namespace attnrt::bench
