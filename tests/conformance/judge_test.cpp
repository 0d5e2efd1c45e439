// The judge itself: what it lets pass, what it complains of, what it may not judge and counts.
#include "judge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace attnrt::conformance {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kWidth = 32;
constexpr int32_t kTokens = 4;

// Four queries over four keys in f32; the oracle's outputs are all 1, its lse 0.
class JudgeTest : public ::testing::Test {
 protected:
  JudgeTest() {
    cell.kv = Format::kF32;
    cell.head_dim = {kWidth, kWidth};
    batch.q_start = {0, kTokens};
    batch.kv_len = {kTokens};
    for (HostTensor* t : {&q, &k, &v, &found.out}) fill(*t, 1);
    fill(found.lse, 0);
    expected = {HostTensor(DType::kF64, kTokens, 1, kWidth, 0),
                HostTensor(DType::kF64, kTokens, 1, 1, 0)};
    fill(expected.out, 1);
    fill(expected.lse, 0);
  }

  static void fill(HostTensor& t, double value) {
    for (int64_t token = 0; token < t.shape[0]; ++token) fill_row(t, token, value);
  }
  static void fill_row(HostTensor& t, int64_t token, double value) {
    for (int64_t i = 0; i < t.shape[2]; ++i) t.set(token, 0, i, value);
  }
  Comparison compared() const {
    return compare(found, expected, {cell, batch, q, k, v, parameters, nullptr});
  }

  Cell cell;
  BatchData batch;
  Parameters parameters;
  HostTensor q{DType::kF32, kTokens, 1, kWidth, 0};
  HostTensor k = q, v = q;
  AttendResult found{q, HostTensor(DType::kF32, kTokens, 1, 1, 0)};
  AttendResult expected;
};

TEST_F(JudgeTest, TakesWhatIsEqualAndCountsIt) {
  const Comparison c = compared();
  EXPECT_EQ(c.complaint, "");
  EXPECT_EQ(c.worst_share, 0);
  EXPECT_EQ(c.elements, kTokens * (kWidth + 1));
  EXPECT_EQ(c.unbounded, 0);
}

TEST_F(JudgeTest, NamesTheElementBeyondItsBound) {
  found.out.set(2, 0, 5, 1.001);
  const Comparison c = compared();
  EXPECT_THAT(c.complaint, HasSubstr("token 2, head 0, element 5: out is 1.001"));
  EXPECT_GT(c.worst_share, 1);
}

TEST_F(JudgeTest, WantsLseAsNearAsOut) {
  found.lse.set(1, 0, 0, 0.001);
  EXPECT_THAT(compared().complaint, HasSubstr("lse is 0.001"));
}

TEST_F(JudgeTest, TakesNoNanForANumberAndNoNumberForNan) {
  found.out.set(0, 0, 0, NAN);
  EXPECT_THAT(compared().complaint, HasSubstr("out is nan"));
  found.out.set(0, 0, 0, 1);
  expected.out.set(0, 0, 0, NAN);
  EXPECT_THAT(compared().complaint, HasSubstr("expected nan"));
  found.out.set(0, 0, 0, NAN);
  EXPECT_EQ(compared().complaint, "");
}

// One query so large that its scores leave what f32 promises: its weights have no bound.
TEST_F(JudgeTest, CountsAnElementWithoutABoundAndJudgesTheOthers) {
  q = HostTensor(DType::kF32, 40, 1, kWidth, 0);
  found.out = q;
  expected.out = HostTensor(DType::kF64, 40, 1, kWidth, 0);
  found.lse = expected.lse = HostTensor();
  batch.q_start = {0, 40};
  for (HostTensor* t : {&q, &found.out, &expected.out}) fill(*t, 1);
  fill_row(q, 7, 1e30);
  fill_row(found.out, 7, NAN);
  Comparison c = compared();
  EXPECT_EQ(c.complaint, "");
  EXPECT_EQ(c.unbounded, kWidth);
  EXPECT_EQ(c.elements, 40 * kWidth);
  found.out.set(8, 0, 0, 1.001);
  EXPECT_THAT(compared().complaint, HasSubstr("token 8"));
}

TEST_F(JudgeTest, FailsACellOfWhichItCanJudgeTooLittle) {
  fill_row(q, 3, 1e30);
  const Comparison c = compared();
  EXPECT_EQ(c.unbounded, kWidth + 1);
  EXPECT_THAT(c.complaint, HasSubstr("33 of 132 elements have no bound, more than 10 %"));
}

TEST_F(JudgeTest, WantsNanWhereTheOracleHasItEvenWithoutABound) {
  fill_row(q, 0, 1e30);
  fill_row(expected.out, 0, NAN);
  EXPECT_THAT(compared().complaint, HasSubstr("expected nan"));
}

}  // namespace
}  // namespace attnrt::conformance
