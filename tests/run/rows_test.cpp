// Where rows stand: a session refuses what the plan's kernels don't list, before a plugin sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attnrt/session.hpp"
#include "run/session_impl.hpp"
#include "tests/run/fake_plugin.hpp"
#include "tests/run/step_inputs.hpp"

namespace attnrt {
namespace {

using testing::HasSubstr;
using testing_fakes::FakePlan;
using testing_fakes::FakeSource;
using testing_fakes::small;
using testing_fakes::StepInputs;

constexpr int64_t kRow = 8 * 4;  // bytes of a head's row in the fakes' plan: 2 KV heads, 4 of q

void pack_all(KernelManifest& k) {
  k.tensors = k.pages = {Strides::kPacked};
}
void pack_prefill(KernelManifest& k) {
  if (k.ops.contains(Op::kPrefill)) pack_all(k);
}
void align_all(KernelManifest& k) {
  k.alignment = 16;
}

std::string refusal(const Status& status) {
  return status ? "" : to_string(status.error());
}

// A step of four query tokens over a session of one layer.
class Rows : public testing::Test {
 protected:
  void open(void (*change)(KernelManifest&), SessionOptions options = small()) {
    source_ = std::make_unique<FakeSource>(change);
    Result<Session> opened = runtime::open_session(FakePlan{}.make(), *source_, options);
    ASSERT_TRUE(opened) << to_string(opened.error());
    session_ = std::make_unique<Session>(std::move(*opened));
    in_ = std::make_unique<StepInputs>(*session_,
                                       std::vector<testing_fakes::Lengths>{{1, 5}, {3, 2}});
    Result<Step> begun = session_->begin(in_->batches());
    ASSERT_TRUE(begun) << to_string(begun.error());
    step_ = std::make_unique<Step>(std::move(*begun));
  }
  // The tensor's rows, with two rows' room between tokens.
  static TensorView spread(TensorView t, std::vector<float>& memory) {
    memory.assign(static_cast<size_t>(t.shape[0] * (t.stride[0] + 16)), 0.5F);
    t.data = memory.data();
    t.stride[0] += 16;
    return t;
  }

  std::unique_ptr<FakeSource> source_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<StepInputs> in_;
  std::unique_ptr<Step> step_;
  std::vector<float> memory_;
};

TEST_F(Rows, MayStandAnywhereWhereKernelsListIt) {
  open([](KernelManifest&) {});
  EXPECT_EQ(refusal(step_->append(0, spread(in_->k(0), memory_), in_->v(0))), "");
  EXPECT_EQ(refusal(step_->attend(0, spread(in_->q(0), memory_), in_->out(0))), "");
}

TEST_F(Rows, StridedAreRefusedByNameWhereOneKernelListsPackedAlone) {
  open(pack_prefill);  // a later batch may prefill: the layer's tensors are one kind or the other
  EXPECT_EQ(refusal(step_->append(0, spread(in_->k(0), memory_), in_->v(0))), "");
  EXPECT_EQ(refusal(step_->attend(0, spread(in_->q(0), memory_), in_->out(0))),
            "layer 0, q: expected packed rows, which the plan's kernel needs, found strides of 48 "
            "and 8 elements between tokens and heads; copy the rows together, or plan with "
            "tensors: strided for kernels that take these");
  EXPECT_THAT(refusal(step_->attend(0, in_->q(0), spread(in_->out(0), memory_))),
              HasSubstr("layer 0, out"));
  std::vector<float> lse(64);
  TensorView rows = make_tensor(lse.data(), DType::kF32, {4, 4});
  EXPECT_EQ(refusal(step_->attend(0, in_->q(0), in_->out(0), rows)), "");
  rows.stride[0] = 8;
  EXPECT_THAT(refusal(step_->attend(0, in_->q(0), in_->out(0), rows)), HasSubstr("layer 0, lse"));
}

TEST_F(Rows, OfOneTokenArePackedWhateverTheirStride) {
  open(pack_all);
  StepInputs one(*session_, {{1, 3}});
  Result<Step> step = session_->begin(one.batches());
  ASSERT_TRUE(step);
  EXPECT_EQ(refusal(step->append(0, spread(one.k(0), memory_), one.v(0))), "");
  EXPECT_EQ(refusal(step->attend(0, spread(one.q(0), memory_), one.out(0))), "");
}

TEST_F(Rows, BeginAtMultiplesOfWhatKernelsAskFor) {
  open(align_all);
  EXPECT_EQ(refusal(step_->attend(0, spread(in_->q(0), memory_), in_->out(0))), "");
  TensorView q = spread(in_->q(0), memory_);
  q.data = memory_.data() + 1;
  q.shape[0] = 4;
  EXPECT_EQ(refusal(step_->attend(0, q, in_->out(0))),
            "layer 0, q: expected data and strides at multiples of 16 bytes, which the plan's "
            "kernel needs, found data 4 bytes behind one, strides of 192 and 32 bytes; align the "
            "rows, or plan with their alignment for kernels that take it");
  TensorView v = in_->v(0);
  v.stride[0] += 1;
  EXPECT_THAT(refusal(step_->append(0, in_->k(0), v)), HasSubstr("layer 0, v"));
  // Values of lse are written one by one.
  std::vector<float> lse(64);
  EXPECT_EQ(refusal(step_->attend(0, in_->q(0), in_->out(0),
                                  make_tensor(lse.data() + 1, DType::kF32, {4, 4}))),
            "");
}

// An engine's cache: pages of K and V with `gap` bytes behind each head's row.
struct EngineCache {
  explicit EngineCache(int64_t gap, int64_t begin = 0)
      : row(kRow + gap), memory(static_cast<size_t>(begin + 2 * kBlocks * page()) + 64) {
    uint8_t* first = memory.data();
    while (reinterpret_cast<uintptr_t>(first) % 64 != 0) ++first;
    view.k = {first + begin, 2 * page(), 2 * row, row, nullptr, 0, 0, 0};
    view.v = view.k;
    view.v.data = first + begin + page();
    view.blocks = kBlocks;
    view.block_size = 4;
    view.heads = 2;
  }
  int64_t page() const { return 4 * 2 * row; }
  std::string open(void (*change)(KernelManifest&)) const {
    FakeSource source(change);
    SessionOptions options = small();
    options.views = {view};
    const Result<Session> session = runtime::open_session(FakePlan{}.make(), source, options);
    return session ? "" : to_string(session.error());
  }
  static constexpr int64_t kBlocks = 16;
  int64_t row;
  std::vector<uint8_t> memory;
  attnrt_cache_view view{};
};

TEST(RowsOfAnEnginesCache, AreCheckedWhenTheSessionOpens) {
  EXPECT_EQ(EngineCache(0).open(pack_all), "");
  EXPECT_EQ(EngineCache(16).open([](KernelManifest&) {}), "");
  EXPECT_EQ(EngineCache(16).open(pack_prefill),
            "view of layer 0: expected packed pages, which the plan's kernels need: rows as in the "
            "layout, blocks whole pages of K and of V apart, found strides of 768, 96 and 48 bytes "
            "between K's blocks, tokens and heads, 768, 96 and 48 between V's; pack the pages, or "
            "plan with pages: strided for kernels that take these");
  EngineCache apart(0);
  apart.view.k.block_stride += kRow;  // no whole number of pages
  EXPECT_THAT(apart.open(pack_all), HasSubstr("packed pages"));
  EXPECT_EQ(EngineCache(16).open(align_all), "");
  EXPECT_EQ(EngineCache(4).open(align_all),
            "view of layer 0: expected data and strides at multiples of 16 bytes, which the plan's "
            "kernels need, found multiples of 4; align them, or plan with this alignment for "
            "kernels that take it");
  EXPECT_THAT(EngineCache(0, 4).open(align_all), HasSubstr("found multiples of 4"));
}

TEST(RowsOfAPool, BeginWhereTheEnginesMemoryDoes) {
  std::vector<uint8_t> memory(1 << 20);
  FakeSource source(align_all);
  SessionOptions options = small();
  options.memory = memory.data() + (68 - reinterpret_cast<uintptr_t>(memory.data()) % 64);
  options.memory_bytes = memory.size() - 68;
  const Result<Session> session = runtime::open_session(FakePlan{}.make(), source, options);
  ASSERT_FALSE(session);
  EXPECT_THAT(to_string(session.error()), HasSubstr("found multiples of 4"));
}

}  // namespace
}  // namespace attnrt
