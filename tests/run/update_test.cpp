// A step's batches replaced under launches that a graph has captured.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "attnrt/session.hpp"
#include "run/session_impl.hpp"
#include "tests/run/fake_plugin.hpp"
#include "tests/run/step_inputs.hpp"

namespace attnrt {
namespace {

using testing::HasSubstr;
using testing_fakes::FakePlan;
using testing_fakes::FakeSource;
using testing_fakes::StepInputs;

FakePlan with_graph() {
  FakePlan plan;
  plan.features.insert(Feature::kGraph);
  plan.mixed = false;
  return plan;
}

Session open(const FakeSource& source, const FakePlan& plan) {
  SessionOptions options;
  options.max_sequences = 8;
  options.max_tokens = 64;
  options.max_kv_len = 64;
  options.blocks = 64;
  Result<Session> session = runtime::open_session(plan.make(), source, options);
  EXPECT_TRUE(session) << to_string(session.error());
  return std::move(*session);
}

// The slots of `now` in the array that was captured.
void refill_slots(const StepInputs& captured, StepInputs& now) {
  attnrt_batch& batch = now.batches_[0];
  const attnrt_i64_array& slots = captured.batches_[0].slot_mapping;
  std::copy_n(batch.slot_mapping.host, batch.tokens, const_cast<int64_t*>(slots.host));
  batch.slot_mapping = slots;
}

class Update : public ::testing::TestWithParam<DeviceKind> {};

TEST_P(Update, MakesTheSameCallsAttendOtherBatches) {
  FakeSource source;
  FakePlan plan = with_graph();
  plan.device.kind = GetParam();
  if (GetParam() == DeviceKind::kCuda) {
    plan.device.ordinal = 0;
    plan.device.sm = 90;
  }
  Session session = open(source, plan);
  // A decode part, then a prefill part whose query starts are rebased.
  StepInputs before(session, {{1, 5}, {6, 3}, {4, 0}});
  StepInputs now(session, {{1, 17}, {4, 8}, {6, 1}});
  Result<Step> step = session.begin(before.batches());
  ASSERT_TRUE(step) << to_string(step.error());
  ASSERT_EQ(step->parts(0), 2);
  refill_slots(before, now);
  const Status updated = step->update(now.batches());
  ASSERT_TRUE(updated) << to_string(updated.error());
  EXPECT_EQ(source.state(0).reschedules, 2);
  ASSERT_TRUE(step->append(0, now.k(0), now.v(0)));
  ASSERT_TRUE(step->attend(0, now.q(0), now.out(0)));
  const std::vector<float> wanted = now.wanted(0);
  for (size_t i = 0; i < wanted.size(); ++i) ASSERT_NEAR(now.result(0)[i], wanted[i], 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Devices, Update, ::testing::Values(DeviceKind::kCpu, DeviceKind::kCuda),
                         [](const auto& each) {
                           return each.param == DeviceKind::kCuda ? "cuda" : "cpu";
                         });

// A replay's own work may still be under way: only memory that is filled anew must be free.
TEST(UpdateWaits, OnlyForQueryStartsThatAreRebased) {
  FakePlan plan = with_graph();
  plan.device.kind = DeviceKind::kCuda;
  plan.device.ordinal = 0;
  plan.device.sm = 90;
  const auto waits = [&](const std::vector<testing_fakes::Lengths>& lengths) {
    FakeSource source;
    Session session = open(source, plan);
    StepInputs in(session, lengths);
    Result<Step> step = session.begin(in.batches());
    EXPECT_TRUE(step);
    const int32_t before = source.state(0).synchronisations;
    EXPECT_TRUE(step->update(in.batches()));
    return source.state(0).synchronisations - before;
  };
  EXPECT_EQ(waits({{1, 5}, {1, 9}}), 0);
  EXPECT_EQ(waits({{1, 5}, {6, 3}}), 1);
}

std::string refusal(const FakePlan& plan, std::vector<testing_fakes::Lengths> captured,
                    std::vector<testing_fakes::Lengths> lengths, bool refill = true) {
  FakeSource source;
  Session session = open(source, plan);
  StepInputs before(session, std::move(captured));
  StepInputs now(session, std::move(lengths));
  Result<Step> step = session.begin(before.batches());
  EXPECT_TRUE(step) << to_string(step.error());
  if (refill) refill_slots(before, now);
  const Status updated = step->update(now.batches());
  EXPECT_EQ(source.state(0).reschedules, 0);
  return updated ? "" : to_string(updated.error());
}

TEST(UpdateRefuses, OtherNumbersOfTokens) {
  EXPECT_THAT(refusal(with_graph(), {{1, 5}, {1, 3}}, {{1, 5}}),
              HasSubstr("expected 2 query tokens, as captured, found 1"));
}

TEST(UpdateRefuses, AnotherArrayOfSlots) {
  EXPECT_THAT(refusal(with_graph(), {{1, 5}}, {{1, 5}}, false), HasSubstr("another array"));
}

TEST(UpdateRefuses, OtherPartsThanWereCaptured) {
  EXPECT_THAT(refusal(with_graph(), {{1, 5}, {3, 0}}, {{4, 0}}), HasSubstr("1 parts instead of 2"));
  EXPECT_THAT(refusal(with_graph(), {{1, 5}, {1, 5}, {3, 0}}, {{1, 5}, {4, 0}}),
              HasSubstr("part 0 has 1 tokens from 0 on"));
}

TEST(UpdateRefuses, PlansWithoutGraphs) {
  FakePlan plan = with_graph();
  plan.features = {Feature::kLse};
  EXPECT_THAT(refusal(plan, {{1, 5}}, {{1, 7}}), HasSubstr("the feature graph"));
}

TEST(UpdateRefuses, BatchesThatNoStepWouldTake) {
  FakeSource source;
  Session session = open(source, with_graph());
  StepInputs in(session, {{1, 5}});
  Result<Step> step = session.begin(in.batches());
  ASSERT_TRUE(step);
  EXPECT_FALSE(step->update({}));
  in.batches_[0].max_kv_len = 1000;
  EXPECT_FALSE(step->update(in.batches()));
}

}  // namespace
}  // namespace attnrt
