// Sessions over fake plugins: what reaches a plugin, what comes back, and every way to fail.
#include "attnrt/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "run/session_impl.hpp"
#include "tests/run/fake_plugin.hpp"
#include "tests/run/step_inputs.hpp"

namespace attnrt {
namespace {

using runtime::open_session;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_fakes::FakePlan;
using testing_fakes::FakeSource;
using testing_fakes::StepInputs;

SessionOptions small() {
  SessionOptions options;
  options.max_sequences = 8;
  options.max_tokens = 64;
  options.max_kv_len = 64;
  options.blocks = 32;
  return options;
}

TEST(Session, OpensOnlyThePluginsThatThePlanChose) {
  FakeSource source;
  Result<Session> session = open_session(FakePlan{}.make(), source, small());
  ASSERT_TRUE(session) << to_string(session.error());
  EXPECT_EQ(source.state(0).opened, 1);
  EXPECT_EQ(source.state(1).opened, 0);
  ASSERT_EQ(session->plugins().size(), 1u);
  EXPECT_EQ(session->plugins()[0].name, "one");
  EXPECT_EQ(session->plugins()[0].description, "a fake");
}

TEST(Session, PreparesAnOpOnceForAllLayersThatAgree) {
  FakeSource source;
  FakePlan plan;
  plan.layers.assign(10, LayerGeometry{4, 2, {8, 8}});
  plan.layers[3].window = 6;
  Result<Session> session = open_session(plan.make(), source, small());
  ASSERT_TRUE(session) << to_string(session.error());
  // prefill, decode and mixed of two classes; one append and one merge for both
  EXPECT_EQ(source.state(0).prepared, 2 * 3 + 2);
  EXPECT_THAT(source.state(0).kernels, testing::Contains("join"));
}

TEST(Session, ReleasesEverythingInTheEnd) {
  FakeSource source;
  {
    Result<Session> session = open_session(FakePlan{}.make(), source, small());
    ASSERT_TRUE(session);
    StepInputs in(*session, {{3, 0}, {1, 5}});
    Result<Step> step = session->begin(in.batches());
    ASSERT_TRUE(step) << to_string(step.error());
    EXPECT_EQ(source.state(0).live_schedules, 1);
  }
  EXPECT_EQ(source.state(0).live_schedules, 0);
  EXPECT_EQ(source.state(0).released, source.state(0).prepared);
  EXPECT_EQ(source.state(0).closed, 1);
}

TEST(Session, HandsThePluginItsOptions) {
  FakeSource source;
  SessionOptions options = small();
  options.plugin_options = {{"two", {{"a", "b"}}}, {"one", {{"isa", "portable"}}}};
  ASSERT_TRUE(open_session(FakePlan{}.make(), source, options));
  EXPECT_THAT(source.state(0).options, ElementsAre("isa=portable"));
}

TEST(Session, EndsWithTheReasonWhenAChosenPluginRefusesToOpen) {
  FakeSource source;
  source.state(0).refuse_open = "no driver";
  Result<Session> session = open_session(FakePlan{}.make(), source, small());
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, ErrorCode::kPluginRefused);
  EXPECT_THAT(to_string(session.error()), HasSubstr("no driver"));
  EXPECT_THAT(session.error().where, HasSubstr("'one'"));
  EXPECT_EQ(source.state(1).opened, 0);  // never a silent fallback
}

TEST(Session, NamesLayerOpAndPluginWhenPrepareRefuses) {
  FakeSource source;
  source.state(0).refuse_prepare = ATTNRT_OP_DECODE;
  Result<Session> session = open_session(FakePlan{}.make(), source, small());
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, ErrorCode::kPluginRefused);
  EXPECT_THAT(session.error().where, HasSubstr("layer 0, decode, plugin 'one'"));
  EXPECT_EQ(source.state(0).released, source.state(0).prepared);
  EXPECT_EQ(source.state(0).closed, 1);
}

TEST(Session, GoesOnWithoutARefusedPluginOnlyWhenToldTo) {
  for (const char* how : {"load", "open", "prepare"}) {
    FakeSource source;
    if (std::string(how) == "load") source.refuse_load = true;
    if (std::string(how) == "open") source.state(0).refuse_open = "no";
    if (std::string(how) == "prepare") source.state(0).refuse_prepare = ATTNRT_OP_PREFILL;
    SessionOptions options = small();
    std::vector<std::string> asked;
    options.replan = [&](const std::vector<std::string>& refused) -> Result<Plan> {
      asked = refused;
      FakePlan other;
      other.plugin = 1;
      return other.make();
    };
    Result<Session> session = open_session(FakePlan{}.make(), source, options);
    ASSERT_TRUE(session) << how << ": " << to_string(session.error());
    EXPECT_THAT(asked, ElementsAre("one")) << how;
    ASSERT_EQ(session->refusals().size(), 1u) << how;
    EXPECT_EQ(session->plugins()[0].name, "two") << how;
    EXPECT_EQ(source.state(0).opened, source.state(0).closed) << how;
  }
}

TEST(Session, AnOptionThatOpenRefusesIsTheOperatorsToMend) {
  FakeSource source;
  source.state(0).refuse_open = "option threads is 'many', expected a number";
  SessionOptions options = small();
  options.plugin_options = {{"one", {{"isa", "x"}, {"threads", "many"}}}};
  options.option_place = [](const std::string& plugin, const std::string& key) {
    return "run.yaml:2:3:" + plugin + "." + key;
  };
  options.replan = [](const std::vector<std::string>&) -> Result<Plan> {
    ADD_FAILURE() << "no other plugin was asked for";
    return FakePlan{}.make();
  };
  const Result<Session> session = open_session(FakePlan{}.make(), source, options);
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(session.error().where, "run.yaml:2:3:one.threads");
  EXPECT_EQ(session.error().found, "option threads is 'many', expected a number");
  EXPECT_THAT(session.error().remedy, HasSubstr("plugins: options: one: threads"));
}

TEST(Session, OptionsThatOpenDoesNotTakeAtAllAreNamedTogether) {
  FakeSource source;
  source.state(0).refuse_open = "this plugin has no options";
  SessionOptions options = small();
  options.plugin_options = {{"one", {{"a", "x"}, {"b", "y"}}}};
  options.option_place = [](const std::string& plugin, const std::string& key) {
    return "run.yaml:2:3:" + plugin + "." + key;
  };
  const Result<Session> session = open_session(FakePlan{}.make(), source, options);
  ASSERT_FALSE(session);
  EXPECT_EQ(to_string(session.error()),
            "run.yaml:2:3:one.: expected options that plugin 'one' takes, found this plugin has no "
            "options; correct or remove what stands in plugins: options: one");
}

TEST(Session, ARefusalThatNamesNoOptionIsThePlugins) {
  FakeSource source;
  source.state(0).refuse_open = "no disaster recovery here";
  SessionOptions options = small();
  options.plugin_options = {{"one", {{"disaster-recovery", "x"}, {"here-not", "y"}}}};
  const Result<Session> session = open_session(FakePlan{}.make(), source, options);
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, ErrorCode::kPluginRefused);
}

TEST(Session, EndsWhenTheNewPlanRefusesToo) {
  FakeSource source;
  source.state(0).refuse_open = "no";
  source.state(1).refuse_open = "neither";
  SessionOptions options = small();
  int asked = 0;
  options.replan = [&](const std::vector<std::string>& refused) -> Result<Plan> {
    ++asked;
    if (refused.size() == 2) return Error{ErrorCode::kNoBackend, "", "", "none is left", ""};
    FakePlan other;
    other.plugin = 1;
    return other.make();
  };
  Result<Session> session = open_session(FakePlan{}.make(), source, options);
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, ErrorCode::kPluginRefused);
  EXPECT_THAT(to_string(session.error()), HasSubstr("none is left"));
  EXPECT_EQ(asked, 2);
}

TEST(Session, AsksOnceWhenTheNewPlanIsTheOldOne) {
  FakeSource source;
  source.state(0).refuse_open = "no";
  SessionOptions options = small();
  int asked = 0;
  options.replan = [&](const std::vector<std::string>&) -> Result<Plan> {
    ++asked;
    return FakePlan{}.make();
  };
  EXPECT_FALSE(open_session(FakePlan{}.make(), source, options));
  EXPECT_EQ(asked, 1);
}

TEST(Session, RefusesImpossibleOptionsAndDevicesThatAreNotHere) {
  FakeSource source;
  SessionOptions options = small();
  options.max_sequences = 0;
  EXPECT_FALSE(open_session(FakePlan{}.make(), source, options));
  options = small();
  options.blocks = int64_t{1} << 40;
  EXPECT_FALSE(open_session(FakePlan{}.make(), source, options));
  Plan far = FakePlan{}.make();
  far.device.kind = DeviceKind::kCuda;
  far.device.sm = 90;
  Result<Session> session = open_session(far, source, small());
  ASSERT_FALSE(session);
  EXPECT_THAT(session.error().found, HasSubstr("only be planned for"));
}

TEST(Session, RefusesAPlanOfAnotherCatalog) {
  FakeSource source;
  FakePlan plan;
  plan.plugin = 7;
  Result<Session> session = open_session(plan.make(), source, small());
  ASSERT_FALSE(session);
  EXPECT_THAT(to_string(session.error()), HasSubstr("registry.catalog()"));
}

TEST(Session, GivesWorkspacesThatAreAlignedAndZeroedAndOneToEverySchedule) {
  FakeSource source;
  source.state(0).sizes.state = {100, 128};
  source.state(0).sizes.scratch = {1000, 64};
  source.state(0).sizes.staging = {10, 16};
  Result<Session> session = open_session(FakePlan{}.make(), source, small());
  ASSERT_TRUE(session);
  StepInputs in(*session, {{1, 5}});
  source.state(0).workspaces.clear();
  Result<Step> a = session->begin(in.batches());
  Result<Step> b = session->begin(in.batches());
  ASSERT_TRUE(a && b);
  const auto& given = source.state(0).workspaces;
  ASSERT_EQ(given.size(), 2u);
  EXPECT_NE(given[0].state, given[1].state);
  EXPECT_NE(given[0].staging, given[1].staging);
  EXPECT_EQ(given[0].scratch, given[1].scratch);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(given[0].state) % 128, 0u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(static_cast<const char*>(given[0].state)[i], 0);
}

TEST(Session, SetsLayersParametersOnceAndChecksThem) {
  FakeSource source;
  FakePlan plan;
  plan.layers[0].sinks = true;
  Result<Session> session = open_session(plan.make(), source, small());
  ASSERT_TRUE(session) << to_string(session.error());
  StepInputs in(*session, {{1, 3}});
  Result<Step> step = session->begin(in.batches());
  ASSERT_TRUE(step);
  Status without = step->attend(0, in.q(0), in.out(0));
  ASSERT_FALSE(without);
  EXPECT_THAT(to_string(without.error()), HasSubstr("sinks"));

  const float sinks[4] = {0, 1, 2, 3};
  const float scale = 0.5f;
  LayerParameters p;
  p.sinks = sinks;
  p.k_scale = {&scale, 1, 0.5f};
  uint64_t nans = 0;
  p.nan_count = &nans;
  ASSERT_TRUE(session->set_layer(0, p));
  ASSERT_TRUE(step->append(0, in.k(0), in.v(0)));
  EXPECT_EQ(source.state(0).last_append.nan_count, &nans);
  EXPECT_EQ(source.state(0).last_append.cache.k_scale.data, &scale);
  ASSERT_TRUE(step->attend(0, in.q(0), in.out(0)));
  EXPECT_EQ(source.state(0).last_attend.sinks, sinks);
  EXPECT_EQ(source.state(0).last_attend.cache.k_scale.data, &scale);

  EXPECT_FALSE(session->set_layer(1, p));
  EXPECT_FALSE(session->set_layer(-1, p));
  p.k_scale.count = 2;  // one a head needs the feature
  EXPECT_FALSE(session->set_layer(0, p));
  p = {};
  p.alibi_slopes = sinks;
  EXPECT_FALSE(session->set_layer(0, p));
}

TEST(Session, MergesWithAPluginOfThePlan) {
  FakeSource source;
  Result<Session> session = open_session(FakePlan{}.make(), source, small());
  ASSERT_TRUE(session);
  std::vector<float> a(4 * 8, 1.0f), b(4 * 8, 3.0f), out(4 * 8);
  std::vector<float> lse_a(4, 0.0f), lse_b(4, 0.0f);
  const TensorView parts[] = {make_tensor(a.data(), DType::kF32, {1, 4, 8}),
                              make_tensor(b.data(), DType::kF32, {1, 4, 8})};
  const TensorView lse[] = {make_tensor(lse_a.data(), DType::kF32, {1, 4}),
                            make_tensor(lse_b.data(), DType::kF32, {1, 4})};
  const TensorView merged = make_tensor(out.data(), DType::kF32, {1, 4, 8});
  Status done = session->merge(0, parts, lse, merged);
  ASSERT_TRUE(done) << to_string(done.error());
  for (const float x : out) EXPECT_FLOAT_EQ(x, 2.0f);
  EXPECT_FALSE(session->merge(0, parts, {lse, 1}, merged));
  EXPECT_FALSE(session->merge(7, parts, lse, merged));
  const TensorView wrong = make_tensor(out.data(), DType::kF32, {1, 4, 7});
  EXPECT_FALSE(session->merge(0, parts, lse, wrong));
}

TEST(ReplanWithout, DeniesWhatRefusedAndNeverDropsARequirement) {
  FakeSource source;
  PlanOptions options;
  options.policy.require = "one";
  Result<Plan> plan = replan_without({}, {}, options, source.catalog())({"one"});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kPluginRefused);
}

}  // namespace
}  // namespace attnrt
