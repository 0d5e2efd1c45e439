// Sessions on a device that is not the host: all memory through the plugin's device service.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
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
using testing_fakes::FakeState;
using testing_fakes::StepInputs;

FakePlan on_device() {
  FakePlan plan;
  plan.device.kind = DeviceKind::kCuda;
  plan.device.ordinal = 0;
  plan.device.sm = 90;
  plan.mixed = false;
  return plan;
}

SessionOptions small() {
  SessionOptions options;
  options.max_sequences = 8;
  options.max_tokens = 64;
  options.max_kv_len = 64;
  options.blocks = 32;
  return options;
}

TEST(DeviceSession, TakesAndGivesBackItsMemoryThroughThePlugin) {
  FakeSource source;
  FakeState& state = source.state(0);
  state.sizes.state = {100, 64};
  state.sizes.scratch = {100, 64};
  state.sizes.staging = {100, 64};
  {
    Result<Session> session = runtime::open_session(on_device().make(), source, small());
    ASSERT_TRUE(session) << to_string(session.error());
    EXPECT_EQ(state.live_allocations, 2);  // the pool and the scratch
    StepInputs in(*session, {{1, 5}, {6, 3}});
    Result<Step> step = session->begin(in.batches());
    ASSERT_TRUE(step) << to_string(step.error());
    ASSERT_TRUE(step->append(0, in.k(0), in.v(0)));
    ASSERT_TRUE(step->attend(0, in.q(0), in.out(0)));
    const std::vector<float> wanted = in.wanted(0);
    for (size_t i = 0; i < wanted.size(); ++i) ASSERT_NEAR(in.result(0)[i], wanted[i], 1e-5);
  }
  EXPECT_GT(state.allocations, 6);
  EXPECT_EQ(state.live_allocations, 0);
  EXPECT_EQ(state.closed, 1);
}

TEST(DeviceSession, MirrorsTheQueryStartsOfAPartOnTheDevice) {
  FakeSource source;
  FakeState& state = source.state(0);
  Result<Session> session = runtime::open_session(on_device().make(), source, small());
  ASSERT_TRUE(session);
  StepInputs in(*session, {{1, 5}, {6, 3}, {2, 0}});
  state.batches.clear();
  state.copies = 0;
  Result<Step> step = session->begin(in.batches());
  ASSERT_TRUE(step);
  ASSERT_EQ(state.batches.size(), 2u);
  const attnrt_batch& prefill = state.batches[1];
  EXPECT_NE(prefill.q_start.device, prefill.q_start.host);
  for (const int32_t* starts : {prefill.q_start.device, prefill.q_start.host}) {
    EXPECT_THAT(std::vector<int32_t>(starts, starts + 3), testing::ElementsAre(0, 6, 8));
  }
  EXPECT_EQ(state.copies, 1);  // the decode part begins at token 0
}

TEST(DeviceSession, WaitsForTheStreamBeforeItUsesAStepsMemoryAgain) {
  FakeSource source;
  Result<Session> session = runtime::open_session(on_device().make(), source, small());
  ASSERT_TRUE(session);
  StepInputs in(*session, {{1, 5}});
  { ASSERT_TRUE(session->begin(in.batches())); }
  const int32_t before = source.state(0).synchronisations;
  ASSERT_TRUE(session->begin(in.batches()));
  EXPECT_GT(source.state(0).synchronisations, before);
}

TEST(DeviceSession, TellsWhichLayerFailedOnTheDeviceIfItIsBlocking) {
  FakePlan plan = on_device();
  plan.layers.resize(2, plan.layers.front());
  FakeSource source;
  SessionOptions options = small();
  options.blocking = true;
  Result<Session> session = runtime::open_session(plan.make(), source, options);
  ASSERT_TRUE(session);
  StepInputs in(*session, {{1, 5}});
  Result<Step> step = session->begin(in.batches());
  ASSERT_TRUE(step);
  ASSERT_TRUE(step->attend(0, in.q(0), in.out(0)));
  source.state(0).break_in_attend = ATTNRT_OP_DECODE;
  const Status failed = step->attend(1, in.q(1), in.out(1));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().where, "layer 1, decode, plugin 'one'");
  EXPECT_THAT(to_string(failed.error()), HasSubstr("illegal address"));
}

TEST(DeviceSession, FindsWhatFailedOnTheDeviceWhenTheNextStepBegins) {
  FakeSource source;
  Result<Session> session = runtime::open_session(on_device().make(), source, small());
  ASSERT_TRUE(session);
  StepInputs in(*session, {{1, 5}});
  {
    Result<Step> step = session->begin(in.batches());
    ASSERT_TRUE(step);
    source.state(0).break_in_attend = ATTNRT_OP_DECODE;
    ASSERT_TRUE(step->attend(0, in.q(0), in.out(0)));
  }
  const Result<Step> next = session->begin(in.batches());
  ASSERT_FALSE(next);
  EXPECT_THAT(to_string(next.error()), HasSubstr("illegal address"));
  EXPECT_THAT(to_string(next.error()), HasSubstr("options.blocking"));
}

TEST(DeviceSession, SaysThatADevicesErrorMayBeOfWorkBegunBefore) {
  for (const bool blocking : {false, true}) {
    FakeSource source;
    SessionOptions options = small();
    options.blocking = blocking;
    Result<Session> session = runtime::open_session(on_device().make(), source, options);
    ASSERT_TRUE(session);
    StepInputs in(*session, {{1, 5}});
    Result<Step> step = session->begin(in.batches());
    ASSERT_TRUE(step);
    source.state(0).refuse_attend = ATTNRT_OP_DECODE;
    const Status failed = step->attend(0, in.q(0), in.out(0));
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().where, "layer 0, decode, plugin 'one'");
    EXPECT_THAT(failed.error().found, HasSubstr("burnt"));
    const auto earlier = HasSubstr("begun before");
    const auto advice = HasSubstr("options.blocking");
    if (blocking) {
      EXPECT_THAT(failed.error().found, testing::Not(earlier));
      EXPECT_THAT(failed.error().remedy, testing::Not(advice));
    } else {
      EXPECT_THAT(failed.error().found, earlier);
      EXPECT_THAT(failed.error().remedy, advice);
    }
  }
}

// An engine's allocator over the host's memory, which is the fake device's.
struct EnginesMemory {
  int32_t live = 0;
  uint64_t most = UINT64_MAX;  // bytes that one allocation may take

  DeviceAllocator allocator() {
    return {[](void* ctx, uint64_t bytes, uint64_t alignment) -> void* {
              auto* self = static_cast<EnginesMemory*>(ctx);
              if (bytes > self->most) return nullptr;
              ++self->live;
              const uint64_t align = std::max<uint64_t>(alignment, 64);
              void* data = std::aligned_alloc(align, (bytes + align - 1) / align * align);
              std::memset(data, 0xA5, bytes);
              return data;
            },
            [](void* ctx, void* data) {
              --static_cast<EnginesMemory*>(ctx)->live;
              std::free(data);
            },
            this};
  }
};

TEST(DeviceSession, TakesTheDevicesMemoryFromTheEngineIfItGivesAnAllocator) {
  FakeSource source;
  FakeState& state = source.state(0);
  state.sizes.state = {100, 64};
  state.sizes.scratch = {100, 64};
  state.sizes.staging = {100, 64};
  EnginesMemory engine;
  SessionOptions options = small();
  options.device_allocator = engine.allocator();
  {
    Result<Session> session = runtime::open_session(on_device().make(), source, options);
    ASSERT_TRUE(session) << to_string(session.error());
    EXPECT_EQ(engine.live, 2);  // the pool and the scratch
    EXPECT_EQ(state.live_allocations, 0);
    StepInputs in(*session, {{1, 5}, {6, 3}});
    {
      Result<Step> step = session->begin(in.batches());
      ASSERT_TRUE(step) << to_string(step.error());
      ASSERT_TRUE(step->append(0, in.k(0), in.v(0)));
      ASSERT_TRUE(step->attend(0, in.q(0), in.out(0)));
    }
    const std::vector<float> wanted = in.wanted(0);
    for (size_t i = 0; i < wanted.size(); ++i) ASSERT_NEAR(in.result(0)[i], wanted[i], 1e-5);
    EXPECT_GT(engine.live, 2);             // states
    EXPECT_GT(state.live_allocations, 0);  // pinned staging is the plugin's
  }
  EXPECT_EQ(engine.live, 0);
  EXPECT_EQ(state.live_allocations, 0);
}

TEST(DeviceSession, SaysWhatTheEnginesAllocatorHasNotGot) {
  FakeSource source;
  EnginesMemory engine;
  engine.most = 1000;
  SessionOptions options = small();
  options.device_allocator = engine.allocator();
  const Result<Session> session = runtime::open_session(on_device().make(), source, options);
  ASSERT_FALSE(session);
  EXPECT_THAT(to_string(session.error()), HasSubstr("bytes of device memory"));
  EXPECT_THAT(to_string(session.error()), HasSubstr("options.device_allocator"));
  EXPECT_EQ(engine.live, 0);
  options.device_allocator.release = nullptr;
  const Result<Session> half = runtime::open_session(on_device().make(), source, options);
  ASSERT_FALSE(half);
  EXPECT_THAT(to_string(half.error()), HasSubstr("both functions, or none"));
}

TEST(DeviceSession, CopiesBlocksWithThePluginsCopy) {
  FakeSource source;
  Result<Session> session = runtime::open_session(on_device().make(), source, small());
  ASSERT_TRUE(session);
  source.state(0).copies = 0;
  const BlockPair pairs[] = {{1, 2}, {3, 4}};
  ASSERT_TRUE(session->copy_blocks(0, pairs));
  EXPECT_EQ(source.state(0).copies, 2);  // one run of bytes a pair
}

TEST(DeviceSession, GivesItsDevicesFunctionsAsFarAsThePluginHasThem) {
  FakeSource source;
  source.state(0).first_service = true;
  Result<Session> session = runtime::open_session(on_device().make(), source, small());
  ASSERT_TRUE(session) << to_string(session.error());
  const DeviceFunctions device = session->device();
  ASSERT_NE(device.service, nullptr);
  EXPECT_EQ(device.service->struct_size, sizeof(attnrt_device_service));
  EXPECT_NE(device.service->copy, nullptr);
  EXPECT_EQ(device.service->begin_capture, nullptr) << "beyond its table";
  FakePlan on_host;
  Result<Session> host = runtime::open_session(on_host.make(), source, small());
  ASSERT_TRUE(host) << to_string(host.error());
  EXPECT_EQ(host->device().service, nullptr);
}

TEST(DeviceSession, NeedsADeviceServiceAndEndsCleanlyWhenTheDeviceIsFull) {
  FakeSource source;
  source.state(0).no_service = true;
  Result<Session> without = runtime::open_session(on_device().make(), source, small());
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code, ErrorCode::kPluginRefused);
  EXPECT_THAT(to_string(without.error()), HasSubstr("device_service"));

  FakeSource full;
  full.state(0).sizes.scratch = {100, 64};
  full.state(0).refuse_allocation = 2;
  Result<Session> session = runtime::open_session(on_device().make(), full, small());
  ASSERT_FALSE(session);
  EXPECT_THAT(to_string(session.error()), HasSubstr("the device is full"));
  EXPECT_EQ(full.state(0).live_allocations, 0);
  EXPECT_EQ(full.state(0).opened, full.state(0).closed);
}

}  // namespace
}  // namespace attnrt
