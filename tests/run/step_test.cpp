// Steps: the numbers that come back through paged caches, split batches, groups, and wrong calls.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
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
using testing_fakes::Lengths;
using testing_fakes::small;
using testing_fakes::StepInputs;

// Runs a step through all layers and compares each with the attention over the rows themselves.
void expect_right(Session& session, StepInputs& in) {
  Result<Step> step = session.begin(in.batches());
  ASSERT_TRUE(step) << to_string(step.error());
  for (const LayerPlan& layer : session.plan().layers) {
    const int32_t i = layer.index;
    const bool latent = layer.geometry.cache == CacheKind::kLatent;
    Status stored = step->append(i, in.k(i), latent ? TensorView{} : in.v(i));
    ASSERT_TRUE(stored) << to_string(stored.error());
    Status attended = step->attend(i, in.q(i), in.out(i));
    ASSERT_TRUE(attended) << to_string(attended.error());
    const std::vector<float> wanted = in.wanted(i);
    ASSERT_EQ(in.result(i).size(), wanted.size());
    for (size_t j = 0; j < wanted.size(); ++j) {
      ASSERT_NEAR(in.result(i)[j], wanted[j], 1e-5) << "layer " << i << ", value " << j;
    }
  }
}

struct BatchCase {
  const char* name;
  std::vector<Lengths> lengths;
  int32_t parts;  // without a mixed kernel
};

class StepNumbers : public testing::TestWithParam<BatchCase> {};

TEST_P(StepNumbers, AreThoseOfAttentionHoweverTheBatchIsDivided) {
  for (const bool mixed : {true, false}) {
    FakeSource source;
    FakePlan plan;
    plan.mixed = mixed;
    Result<Session> session = runtime::open_session(plan.make(), source, small());
    ASSERT_TRUE(session) << to_string(session.error());
    StepInputs in(*session, GetParam().lengths);
    source.state(0).calls.clear();
    expect_right(*session, in);
    const auto calls = static_cast<int32_t>(source.state(0).calls.size());
    EXPECT_EQ(calls, mixed ? std::min(GetParam().parts, 1) : GetParam().parts);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Batches, StepNumbers,
    testing::Values(BatchCase{"decode", {{1, 5}, {1, 0}, {1, 16}}, 1},
                    BatchCase{"prefill", {{7, 0}, {4, 4}}, 1},
                    BatchCase{"decodes_first", {{1, 5}, {1, 9}, {6, 3}}, 2},
                    BatchCase{"decodes_last", {{6, 3}, {2, 0}, {1, 5}, {1, 9}}, 2},
                    BatchCase{"alternating", {{1, 5}, {6, 3}, {1, 9}, {3, 0}, {1, 1}}, 3},
                    BatchCase{"empty_sequences", {{0, 0}, {3, 0}, {0, 7}, {1, 2}, {0, 0}}, 2},
                    BatchCase{"nothing", {{0, 3}}, 0}),
    [](const testing::TestParamInfo<BatchCase>& param) { return param.param.name; });

TEST(Step, ServesGroupsOfDifferentPagesAndWindowsInOnePool) {
  FakeSource source;
  FakePlan plan;
  plan.layers.assign(5, LayerGeometry{4, 2, {8, 8}});
  plan.layers[1].window = plan.layers[3].window = 6;
  plan.layers[4] = LayerGeometry{8, 1, {8, 8}};
  plan.block_sizes = {4, 8, 4, 8, 8};
  Plan made = plan.make();
  ASSERT_EQ(made.groups.size(), 3u);
  Result<Session> session = runtime::open_session(std::move(made), source, small());
  ASSERT_TRUE(session) << to_string(session.error());
  StepInputs in(*session, {{1, 20}, {5, 4}, {1, 0}});
  expect_right(*session, in);
}

TEST(Step, ServesALatentCache) {
  FakeSource source;
  FakePlan plan;
  plan.layers[0] = LayerGeometry{4, 1, {12, 8}, CacheKind::kLatent};
  Result<Session> session = runtime::open_session(plan.make(), source, small());
  ASSERT_TRUE(session) << to_string(session.error());
  StepInputs in(*session, {{1, 5}, {3, 2}});
  expect_right(*session, in);
  Result<Step> step = session->begin(in.batches());
  Status v_given = step->append(0, in.k(0), in.v(0));
  ASSERT_FALSE(v_given);
  EXPECT_THAT(v_given.error().expected, HasSubstr("latent"));
}

TEST(Step, RunsOverTheEnginesOwnTensors) {
  FakeSource source;
  SessionOptions options = small();
  // K and V as two halves of each row, with somebody else's bytes behind it.
  constexpr int64_t kRow = 8 * 4 * 2 + 16;
  std::vector<uint8_t> memory(16 * 4 * 2 * kRow);
  attnrt_cache_view view{};
  view.k = {memory.data(), 4 * 2 * kRow, 2 * kRow, kRow, nullptr, 0, 0, 0};
  view.v = view.k;
  view.v.data = memory.data() + 8 * 4;
  view.blocks = 16;
  view.block_size = 4;
  view.heads = 2;
  options.views = {view};
  Result<Session> session = runtime::open_session(FakePlan{}.make(), source, options);
  ASSERT_TRUE(session) << to_string(session.error());

  const std::vector<int32_t> q_start{0, 2}, kv_len{2}, table{11};
  const std::vector<int64_t> slots{44, 45};
  std::vector<float> k(32, 0.5f), v(32, 2.0f), q(64, 1.0f), out(64);
  attnrt_batch b{};
  b.struct_size = sizeof b;
  b.sequences = 1;
  b.tokens = b.max_q_len = 2;
  b.max_kv_len = 2;
  b.q_start = {q_start.data(), q_start.data()};
  b.kv_len = {kv_len.data(), kv_len.data()};
  b.block_table = {table.data(), table.data()};
  b.block_table_stride = 1;
  b.slot_mapping = {slots.data(), slots.data()};
  {
    Result<Step> step = session->begin({&b, 1});
    ASSERT_TRUE(step) << to_string(step.error());
    ASSERT_TRUE(step->append(0, make_tensor(k.data(), DType::kF32, {2, 2, 8}),
                             make_tensor(v.data(), DType::kF32, {2, 2, 8})));
    ASSERT_TRUE(step->attend(0, make_tensor(q.data(), DType::kF32, {2, 4, 8}),
                             make_tensor(out.data(), DType::kF32, {2, 4, 8})));
    for (const float x : out) EXPECT_FLOAT_EQ(x, 2.0f);
  }
  const BlockPair pairs[] = {{11, 3}};
  ASSERT_TRUE(session->copy_blocks(0, pairs));
  EXPECT_EQ(*reinterpret_cast<float*>(memory.data() + 3 * 8 * kRow), 0.5f);
  EXPECT_EQ(memory[3 * 8 * kRow + 64], 0);  // the neighbour's

  options.views[0].block_size = 8;
  EXPECT_FALSE(runtime::open_session(FakePlan{}.make(), source, options));
  options.views.push_back(view);
  EXPECT_FALSE(runtime::open_session(FakePlan{}.make(), source, options));
}

TEST(Step, CopiesWholePagesOfAllLayersOfAGroup) {
  FakeSource source;
  FakePlan plan;
  plan.layers.assign(3, LayerGeometry{4, 2, {8, 8}});
  Result<Session> session = runtime::open_session(plan.make(), source, small());
  ASSERT_TRUE(session);
  const auto bytes = static_cast<size_t>(session->plan().groups[0].page_bytes);
  const auto page = [&](int32_t layer, int64_t block) {
    const attnrt_cache_view& view = session->view(layer);
    return static_cast<uint8_t*>(view.k.data) + block * view.k.block_stride;
  };
  for (int32_t l = 0; l < 3; ++l) std::fill_n(page(l, 5), bytes, static_cast<uint8_t>(l + 1));
  const BlockPair pairs[] = {{5, 2}, {2, 9}};
  ASSERT_TRUE(session->copy_blocks(0, pairs));
  for (int32_t l = 0; l < 3; ++l) {
    EXPECT_EQ(page(l, 9)[0], l + 1);
    EXPECT_EQ(page(l, 9)[bytes - 1], l + 1);
    EXPECT_EQ(page(l, 8)[0], 0);
  }
  const BlockPair bad[] = {{5, 100000}};
  EXPECT_FALSE(session->copy_blocks(0, bad));
  const BlockPair negative[] = {{-1, 3}};
  EXPECT_FALSE(session->copy_blocks(0, negative));
  EXPECT_FALSE(session->copy_blocks(1, pairs));
}

class StepErrors : public testing::Test {
 protected:
  void SetUp() override {
    Result<Session> opened = runtime::open_session(FakePlan{}.make(), source, small());
    ASSERT_TRUE(opened);
    session = std::make_unique<Session>(std::move(*opened));
    in = std::make_unique<StepInputs>(*session, std::vector<Lengths>{{1, 5}, {3, 2}});
  }
  FakeSource source;
  std::unique_ptr<Session> session;
  std::unique_ptr<StepInputs> in;
};

TEST_F(StepErrors, NameTheGroupAndTheEntryOfABadBatch) {
  in->batches_[0].max_q_len = 2;
  Result<Step> step = session->begin(in->batches());
  ASSERT_FALSE(step);
  EXPECT_THAT(step.error().where, HasSubstr("cache group 0, batch, q_start[2]"));
  EXPECT_FALSE(session->begin({}));
  EXPECT_EQ(source.state(0).live_schedules, 0);
}

TEST_F(StepErrors, BoundTheBatchInUncheckedModeToo) {
  SessionOptions options = small();
  options.checked = Checked::kOff;
  options.max_tokens = 3;
  Result<Session> unchecked = runtime::open_session(FakePlan{}.make(), source, options);
  ASSERT_TRUE(unchecked);
  EXPECT_FALSE(unchecked->begin(in->batches()));
}

TEST_F(StepErrors, NameLayersShapesAndDtypesThatDoNotFit) {
  Result<Step> step = session->begin(in->batches());
  ASSERT_TRUE(step);
  EXPECT_FALSE(step->append(1, in->k(0), in->v(0)));
  EXPECT_FALSE(step->append(-1, in->k(0), in->v(0)));
  EXPECT_FALSE(step->attend(1, in->q(0), in->out(0)));
  TensorView q = in->q(0);
  q.shape[2] = 7;
  Status bad = step->attend(0, q, in->out(0));
  ASSERT_FALSE(bad);
  EXPECT_THAT(to_string(bad.error()), HasSubstr("layer 0, q"));
  EXPECT_THAT(bad.error().found, HasSubstr("f32 [4, 4, 7]"));
  EXPECT_THAT(bad.error().expected, HasSubstr("f32 [4, 4, 8]"));
  TensorView out = in->out(0);
  out.dtype = ATTNRT_DTYPE_BF16;
  EXPECT_FALSE(step->attend(0, in->q(0), out));
  out = in->out(0);
  out.stride[2] = 2;
  EXPECT_FALSE(step->attend(0, in->q(0), out));
  TensorView k = in->k(0);
  k.data = nullptr;
  EXPECT_FALSE(step->append(0, k, in->v(0)));
}

TEST_F(StepErrors, NameLayerOpAndPluginOfAFailedCall) {
  source.state(0).refuse_attend = ATTNRT_OP_MIXED;
  Result<Step> step = session->begin(in->batches());
  ASSERT_TRUE(step);
  Status failed = step->attend(0, in->q(0), in->out(0));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kPluginRefused);
  EXPECT_THAT(to_string(failed.error()), HasSubstr("layer 0, mixed, plugin 'one'"));
  EXPECT_THAT(to_string(failed.error()), HasSubstr("burnt"));
}

TEST_F(StepErrors, SurviveAPluginThatThrows) {
  source.state(0).throw_in_append = true;
  Result<Step> step = session->begin(in->batches());
  ASSERT_TRUE(step);
  Status failed = step->append(0, in->k(0), in->v(0));
  ASSERT_FALSE(failed);
  EXPECT_THAT(to_string(failed.error()), HasSubstr("a defect"));
}

TEST(Step, NeedsThePlansConsentToReturnLse) {
  FakeSource source;
  FakePlan plan;
  plan.features = {};
  Result<Session> session = runtime::open_session(plan.make(), source, small());
  ASSERT_TRUE(session);
  StepInputs in(*session, {{1, 5}});
  Result<Step> step = session->begin(in.batches());
  ASSERT_TRUE(step);
  std::vector<float> lse(4);
  EXPECT_FALSE(step->attend(0, in.q(0), in.out(0), make_tensor(lse.data(), DType::kF32, {1, 4})));
}

TEST(Step, KeepsBatchInvariantSequencesOnTheirOwnKernels) {
  FakeSource source;
  FakePlan plan;
  plan.features.insert(Feature::kBatchInvariant);
  Result<Session> session = runtime::open_session(plan.make(), source, small());
  ASSERT_TRUE(session);
  StepInputs in(*session, {{1, 5}, {6, 3}, {1, 9}, {3, 0}, {1, 1}});
  source.state(0).calls.clear();
  expect_right(*session, in);
  std::vector<int32_t> ops;
  for (const auto& call : source.state(0).calls) ops.push_back(call.op);
  EXPECT_THAT(ops, testing::ElementsAre(ATTNRT_OP_DECODE, ATTNRT_OP_PREFILL, ATTNRT_OP_DECODE,
                                        ATTNRT_OP_PREFILL, ATTNRT_OP_DECODE));
}

}  // namespace
}  // namespace attnrt
