// All three ops without a GPU: the plugin's own code and FlashInfer's own plans on the host, and in
// the kernels' place what their headers say that they do (fake_kernels.cpp), reading nothing but
// what they are handed. Compared with attention in the ABI's words.
#include "plugins/flashinfer/attend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "fake_runtime.hpp"
#include "kernels/codec/bf16.h"
#include "kernels/codec/f16.h"
#include "kernels/codec/fp8_e4m3.h"
#include "plugins/flashinfer/hopper_attend.hpp"
#include "plugins/flashinfer/xqa_attend.hpp"

namespace attnrt::flashinfer {
namespace {

using ::testing::HasSubstr;
using Ints = std::vector<int32_t>;

constexpr int32_t kKvHeads = 2, kGroup = 4, kHeads = kKvHeads * kGroup, kDim = 128;
constexpr int32_t kBlocks = 80, kRow = 48;  // of the pool, of a row of the block table
constexpr size_t kGuard = 64;               // bytes behind each area
constexpr float kKScale = 0.5F, kVScale = 2.0F;

struct Kernel {
  const char* name;
  int32_t op;
  const char* format;
  Half half;
  int32_t block_size;
  bool hnd;
};

std::string name_of(const ::testing::TestParamInfo<Kernel>& info) {
  const Kernel& k = info.param;
  return std::string(k.name) + "_" + k.format + (k.hnd ? "_hnd" : "_nhd");
}

struct Sequences {
  Ints q_len;
  Ints kv_len;
};
// Skewed, so that contexts are divided; with queries that see nothing, without queries, without
// keys.
const Sequences kRagged{{5, 1, 0, 17, 3, 2, 140}, {420, 9, 12, 17, 1, 0, 150}};
const Sequences kSteps{{1, 1, 0, 1, 1, 1}, {700, 1, 33, 0, 64, 100}};

class FlashInferAttend : public ::testing::TestWithParam<Kernel> {
 protected:
  FlashInferAttend() {
    machine_ = testing::open_host();
    std::mt19937 random(7);
    std::uniform_real_distribution<float> values(-1, 1);
    for (auto& x : q_) x = encode(values(random));
    pool_.resize(static_cast<size_t>(kBlocks) * 4 * page());
    for (size_t i = 0; i < pool_.size(); i += static_cast<size_t>(bytes())) {
      const float x = values(random);
      const uint32_t code = bytes() == 1 ? codec::Fp8E4M3::encode(x) : encode(x);
      std::memcpy(&pool_[i], &code, static_cast<size_t>(bytes()));
    }
    for (auto& x : sinks_) x = values(random);
  }
  ~FlashInferAttend() override {
    for (const auto* area : {&state_, &scratch_, &staging_}) {
      for (size_t i = area->size() - std::min(kGuard, area->size()); i < area->size(); ++i) {
        EXPECT_EQ((*area)[i], 0xA5) << "behind an area";
      }
    }
  }

  static const Kernel& kernel() { return GetParam(); }
  static bool decodes() { return kernel().op == ATTNRT_OP_DECODE; }
  static bool xqa() { return std::string_view(kernel().name) == "decode_xqa"; }
  static bool hopper() { return std::string_view(kernel().name) == "prefill_hopper"; }
  static int64_t bytes() { return std::string_view(kernel().format) == "fp8_e4m3" ? 1 : 2; }
  static size_t page() {
    return static_cast<size_t>(kernel().block_size * kKvHeads * kDim * bytes());
  }
  static uint16_t encode(float x) {
    return static_cast<uint16_t>(kernel().half == Half::kBf16 ? codec::Bf16::encode(x)
                                                              : codec::F16::encode(x));
  }
  static double decode(uint16_t x) {
    return kernel().half == Half::kBf16 ? codec::Bf16::decode(x) : codec::F16::decode(x);
  }

  void prepare(uint64_t features = ATTNRT_FEATURE_CAUSAL, int32_t window = 0, float softcap = 0,
               float scale = 0) {
    attnrt_layer_class c{};
    c.struct_size = sizeof c;
    c.op = kernel().op;
    c.q_heads = kHeads;
    c.kv_heads = kKvHeads;
    c.head_dim_qk = c.head_dim_v = kDim;
    c.q_dtype = c.out_dtype = kernel().half == Half::kBf16 ? ATTNRT_DTYPE_BF16 : ATTNRT_DTYPE_F16;
    c.cache_format = kernel().format;
    c.block_size = kernel().block_size;
    c.layout = kernel().hnd ? ATTNRT_LAYOUT_HND : ATTNRT_LAYOUT_NHD;
    c.cache_kind = ATTNRT_CACHE_SEPARATE;
    c.features = features;
    c.window = window;
    c.softcap = softcap;
    c.softmax_scale = scale;
    layer_ = make_layer(kernel().name, c);
    op_ = hopper() ? make_hopper(*machine_, layer_)
          : xqa()  ? make_xqa(*machine_, layer_)
                   : make_attend(*machine_, layer_);
    bounds(8, 200, 200, 720);
  }

  void bounds(int32_t sequences, int32_t tokens, int32_t q_len, int64_t kv_len) {
    const attnrt_workspace_sizes sizes =
        op_->workspace({sizeof(attnrt_bounds), sequences, tokens, q_len, kv_len});
    const auto make = [](std::vector<uint8_t>& area, uint64_t size, uint8_t value) {
      area.assign(size, value);
      area.resize(size + kGuard, 0xA5);
    };
    make(state_, sizes.state.bytes, 0);
    make(scratch_, sizes.scratch.bytes, 0xFF);
    make(staging_, sizes.staging.bytes, 0);
    workspace_ = {sizeof workspace_, state_.data(),       scratch_.data(),    staging_.data(),
                  sizes.state.bytes, sizes.scratch.bytes, sizes.staging.bytes};
  }

  // Entries that must not be read are no block.
  attnrt_batch make_batch(const Sequences& s) {
    const int32_t block_size = kernel().block_size;
    q_start_ = {0};
    for (const int32_t q : s.q_len) q_start_.push_back(q_start_.back() + q);
    kv_len_ = s.kv_len;
    table_.assign(s.q_len.size() * kRow, 1 << 30);
    std::mt19937 random(3);
    for (size_t n = 0; n < s.kv_len.size(); ++n) {
      for (int32_t i = 0; i * block_size < s.kv_len[n]; ++i) {
        const int64_t oldest = int64_t{s.kv_len[n]} - s.q_len[n] - layer_.window + 1;
        if (layer_.window > 0 && (i + 1) * block_size <= oldest) continue;
        table_[n * kRow + static_cast<size_t>(i)] = static_cast<int32_t>(random() % kBlocks);
      }
    }
    attnrt_batch b{};
    b.struct_size = sizeof b;
    b.sequences = static_cast<int32_t>(s.q_len.size());
    b.tokens = q_start_.back();
    b.q_start = {q_start_.data(), q_start_.data()};
    b.kv_len = {kv_len_.data(), kv_len_.data()};
    b.block_table = {table_.data(), table_.data()};
    b.block_table_stride = kRow;
    return b;
  }

  // K and V of a block stand side by side, two other layers' behind them; gap: elements behind each
  // row of out.
  attnrt_attend_args make_args(int64_t gap = 0) {
    const int64_t tokens = q_start_.back();
    const int64_t head = kDim + gap;
    out_.assign(static_cast<size_t>(tokens * kHeads * head), 0xFFFF);  // NaN
    lse_.assign(static_cast<size_t>(tokens * kHeads), NAN);
    const int32_t dtype = layer_.q_dtype;
    attnrt_attend_args a{};
    a.struct_size = sizeof a;
    a.q = {q_.data(), dtype, 3, {tokens, kHeads, kDim}, {kHeads * kDim, kDim, 1}};
    a.out = {out_.data(), dtype, 3, {tokens, kHeads, kDim}, {kHeads * head, head, 1}};
    if (!xqa()) a.lse = {lse_.data(), ATTNRT_DTYPE_F32, 2, {tokens, kHeads}, {1, tokens}};
    const int64_t row = kDim * bytes();
    a.cache.k = {pool_.data(),
                 4 * static_cast<int64_t>(page()),
                 kernel().hnd ? row : kKvHeads * row,
                 kernel().hnd ? kernel().block_size * row : row,
                 nullptr,
                 0,
                 0,
                 0};
    a.cache.v = a.cache.k;
    a.cache.v.data = pool_.data() + page();
    a.cache.blocks = kBlocks;
    a.cache.block_size = kernel().block_size;
    a.cache.heads = kKvHeads;
    if (bytes() == 1) {
      a.cache.k_scale = {&kKScale, 1, NAN};
      a.cache.v_scale = {&kVScale, 1, NAN};
    }
    if (layer_.sinks) a.sinks = sinks_;
    a.scratch = scratch_.data();
    return a;
  }

  double stored(const attnrt_cache_side& side, size_t n, int64_t t, int32_t head, int i) const {
    const int32_t block_size = kernel().block_size;
    const auto* row = reinterpret_cast<const uint8_t*>(plugin::cache_row(
        side, table_[n * kRow + static_cast<size_t>(t / block_size)], t % block_size, head));
    if (bytes() == 1) return codec::Fp8E4M3::decode(row[i]);
    return decode(reinterpret_cast<const uint16_t*>(row)[i]);
  }

  // By the ABI's words: positions, block ids, byte strides.
  void expect_row(const attnrt_attend_args& a, size_t n, int64_t token, int64_t at,
                  int32_t head) const {
    const int64_t first = layer_.window > 0 ? std::max<int64_t>(0, at - layer_.window + 1) : 0;
    const bool scaled = a.cache.k_scale.count == 1;
    double sum = 0;
    double out[kDim] = {};
    for (int64_t t = first; t <= at; ++t) {
      double score = 0;
      for (int i = 0; i < kDim; ++i) {
        score += decode(q_[static_cast<size_t>((token * kHeads + head) * kDim + i)]) *
                 stored(a.cache.k, n, t, head / kGroup, i);
      }
      score *= double(layer_.softmax_scale) * (scaled ? kKScale : 1);
      if (layer_.softcap > 0) score = layer_.softcap * std::tanh(score / layer_.softcap);
      sum += std::exp(score);
      for (int i = 0; i < kDim; ++i) {
        out[i] += std::exp(score) * stored(a.cache.v, n, t, head / kGroup, i);
      }
    }
    const double all = a.sinks == nullptr ? sum : sum + std::exp(double(a.sinks[head]));
    const auto* row =
        static_cast<const uint16_t*>(a.out.data) + token * a.out.stride[0] + head * a.out.stride[1];
    for (int i = 0; i < kDim; ++i) {
      const double expected = sum == 0 ? 0 : out[i] / all * (scaled ? kVScale : 1);
      ASSERT_NEAR(decode(row[i]), expected, 0.016 * (scaled ? kVScale : 1))
          << "sequence " << n << " token " << token << " head " << head;
    }
    if (a.lse.data == nullptr) return;
    const auto lse = double(
        static_cast<const float*>(a.lse.data)[token * a.lse.stride[0] + head * a.lse.stride[1]]);
    if (sum == 0) {
      ASSERT_EQ(lse, -HUGE_VAL);
    } else {
      ASSERT_NEAR(lse, std::log(sum), 1e-4) << "sequence " << n << " token " << token;
    }
  }

  void expect_attention(const attnrt_attend_args& a) const {
    for (size_t n = 0; n < kv_len_.size(); ++n) {
      const int32_t q_len = q_start_[n + 1] - q_start_[n];
      for (int32_t i = 0; i < q_len; ++i) {
        for (int32_t h = 0; h < kHeads; ++h) {
          expect_row(a, n, q_start_[n] + i, int64_t{kv_len_[n]} - q_len + i, h);
        }
      }
    }
  }

  void run(const Sequences& s, int64_t gap = 0) {
    const auto schedule = op_->schedule(make_batch(s), workspace_, nullptr);
    const attnrt_attend_args a = make_args(gap);
    op_->attend(*schedule, a);
    expect_attention(a);
  }

  // Why it refuses.
  template <class Body>
  static std::string refusal(int32_t status, Body body) {
    try {
      body();
    } catch (const PluginError& e) {
      EXPECT_EQ(e.status(), status) << e.what();
      return e.what();
    }
    return "nothing was refused";
  }
  // Of one call whose arguments `change` spoils.
  template <class Change>
  std::string refusal_of(int32_t status, Change change) {
    const auto schedule = op_->schedule(make_batch(kSteps), workspace_, nullptr);
    attnrt_attend_args a = make_args();
    change(a);
    return refusal(status, [&] { op_->attend(*schedule, a); });
  }

  static const Sequences& usual() { return decodes() ? kSteps : kRagged; }

  std::unique_ptr<cuda::Machine> machine_;
  Layer layer_{};
  std::unique_ptr<plugin::Op> op_;
  std::vector<uint8_t> pool_;
  std::vector<uint16_t> q_ = std::vector<uint16_t>(200 * kHeads * kDim);
  std::vector<uint8_t> state_, scratch_, staging_;
  attnrt_workspace workspace_{};
  Ints q_start_, kv_len_, table_;
  std::vector<uint16_t> out_;
  std::vector<float> lse_;
  float sinks_[kHeads];
};

// Which kernels list it.
class AnyButHopper : public FlashInferAttend {};  // window, graph
class AnyButXqa : public FlashInferAttend {};     // strides of out
class Fa2Attend : public FlashInferAttend {};
class HopperAttend : public FlashInferAttend {};
class XqaAttend : public FlashInferAttend {};

TEST_P(FlashInferAttend, AttendsToSkewedBatches) {
  prepare();
  run(usual());
}

TEST_P(FlashInferAttend, TakesOneBatchAfterTheOtherInTheSameMemory) {
  prepare();
  for (const Sequences& s : {Sequences{{1}, {5}}, usual(), Sequences{{1, 1, 1}, {300, 2, 31}},
                             Sequences{{0, 0}, {4, 0}}, Sequences{}}) {
    run(s);
  }
}

TEST_P(AnyButHopper, ReadsNoBlockOutsideTheWindow) {
  prepare(ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_WINDOW, 37);
  run(usual());
}

TEST_P(Fa2Attend, CapsScores) {
  prepare(ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_SOFTCAP, 0, 0.5F);
  run(usual());
}

TEST_P(XqaAttend, AddsSinks) {
  prepare(ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_SINKS);
  run(usual());
  EXPECT_THAT(refusal_of(ATTNRT_INVALID_ARGUMENT, [](auto& a) { a.sinks = nullptr; }),
              HasSubstr("sinks is null"));
}

TEST_P(AnyButHopper, TakesANegativeScale) {
  prepare(ATTNRT_FEATURE_CAUSAL, 0, 0, -0.1F);
  run(usual());
}

TEST_P(HopperAttend, TakesAScaleAbove0) {
  EXPECT_THAT(refusal(ATTNRT_UNSUPPORTED, [&] { prepare(ATTNRT_FEATURE_CAUSAL, 0, 0, -0.1F); }),
              HasSubstr("softmax_scale is -0.1"));
  prepare(ATTNRT_FEATURE_CAUSAL, 0, 0, 0.2F);
  run(usual());
}

TEST_P(AnyButXqa, WritesIntoAnyStrides) {
  prepare();
  run(usual(), 8);
  run(usual(), 16);
}

TEST_P(FlashInferAttend, LeavesAnLseThatIsNotWanted) {
  prepare();
  const auto schedule = op_->schedule(make_batch(usual()), workspace_, nullptr);
  attnrt_attend_args a = make_args();
  a.lse = {};
  op_->attend(*schedule, a);
  expect_attention(a);
  for (const float lse : lse_) EXPECT_TRUE(std::isnan(lse));
}

TEST_P(AnyButHopper, ReplaysWhatIsRescheduledIntoACapturedGraph) {
  prepare(ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_GRAPH);
  const auto schedule = op_->schedule(make_batch({{1}, {1}}), workspace_, nullptr);
  for (const Sequences& s : {kSteps, Sequences{{1, 1}, {3, 720}}, usual()}) {
    schedule->reschedule(make_batch(s), nullptr);
    const attnrt_attend_args a = make_args();
    op_->attend(*schedule, a);
    expect_attention(a);
  }
  EXPECT_THAT(refusal(ATTNRT_INVALID_ARGUMENT,
                      [&] {
                        schedule->reschedule(make_batch({Ints(17, 1), Ints(17, 1)}), nullptr);
                      }),
              HasSubstr("the bounds allow"));
}

TEST_P(FlashInferAttend, RefusesLessMemoryThanABatchNeeds) {
  prepare();
  bounds(1, 1, 1, 16);
  const attnrt_workspace small = workspace_;
  bounds(8, 200, 200, 720);
  const auto with = [&](auto change) {
    attnrt_workspace w = workspace_;
    change(w);
    return refusal(ATTNRT_INVALID_ARGUMENT,
                   [&] { op_->schedule(make_batch(usual()), w, nullptr); });
  };
  EXPECT_THAT(with([&](auto& w) { w.state_bytes = small.state_bytes; }), HasSubstr("state has"));
  EXPECT_THAT(with([&](auto& w) { w.staging_bytes = small.staging_bytes; }),
              HasSubstr("staging has"));
  EXPECT_THAT(with([&](auto& w) { w.scratch_bytes = 64; }), HasSubstr("scratch has 64"));
}

TEST_P(FlashInferAttend, RefusesStridesThatItCannotTake) {
  prepare();
  EXPECT_THAT(refusal_of(ATTNRT_UNSUPPORTED, [](auto& a) { a.cache.k.token_stride += 2; }),
              HasSubstr("cache.k begins, or has strides, at other than multiples of 16 bytes"));
  EXPECT_THAT(refusal_of(ATTNRT_UNSUPPORTED, [](auto& a) { a.q.stride[0] += 1; }),
              HasSubstr("q begins, or has strides, at other than multiples of 16 bytes"));
  EXPECT_THAT(refusal_of(ATTNRT_UNSUPPORTED, [](auto& a) { a.out.stride[0] += 3; }),
              HasSubstr("out begins, or has strides, at other than multiples of 16 bytes"));
  if (!hopper() && !xqa()) return;
  EXPECT_THAT(refusal_of(ATTNRT_UNSUPPORTED, [](auto& a) { a.cache.v.block_stride *= 2; }),
              HasSubstr("differ in strides"));
}

TEST_P(XqaAttend, RefusesWhatIsNotPacked) {
  prepare();
  EXPECT_THAT(refusal_of(ATTNRT_UNSUPPORTED, [](auto& a) { a.q.stride[1] += 8; }),
              HasSubstr("q has strides of 1024 and 136"));
  EXPECT_THAT(refusal_of(ATTNRT_UNSUPPORTED, [](auto& a) { a.out.stride[0] += 8; }),
              HasSubstr("out has strides of 1032 and 128"));
  EXPECT_THAT(refusal_of(ATTNRT_UNSUPPORTED,
                         [](auto& a) { a.cache.k.block_stride = a.cache.v.block_stride += 128; }),
              HasSubstr("packed pages alone"));
  EXPECT_THAT(refusal_of(ATTNRT_UNSUPPORTED, [](auto& a) { a.cache.v.token_stride += 128; }),
              HasSubstr("cache.v has strides of"));
  EXPECT_THAT(refusal_of(ATTNRT_UNSUPPORTED, [](auto& a) { a.cache.k.head_stride *= 2; }),
              HasSubstr("cache.k has strides of"));
  EXPECT_THAT(refusal_of(ATTNRT_UNSUPPORTED, [](auto& a) { a.cache.blocks = 1 << 30; }),
              HasSubstr("counts to 2^32"));
  EXPECT_THAT(
      refusal_of(
          ATTNRT_INVALID_ARGUMENT,
          [&](auto& a) {
            a.lse = {lse_.data(), ATTNRT_DTYPE_F32, 2, {q_start_.back(), kHeads}, {kHeads, 1}};
          }),
      HasSubstr("XQA has none"));
  EXPECT_THAT(refusal(ATTNRT_INVALID_ARGUMENT,
                      [&] {
                        op_->schedule(make_batch({{2}, {9}}), workspace_, nullptr);
                      }),
              HasSubstr("decode_xqa takes one"));
}

TEST_P(HopperAttend, RefusesScalesOfAFormatThatHasNone) {
  prepare();
  EXPECT_THAT(refusal_of(ATTNRT_INVALID_ARGUMENT,
                         [](auto& a) {
                           a.cache.v_scale = {&kVScale, 1, NAN};
                         }),
              HasSubstr("only 8-bit formats have one"));
}

TEST_P(HopperAttend, RefusesStridesOfQThatTmaCannotCount) {
  prepare();
  for (const int64_t stride : {int64_t{-1024}, int64_t{1} << 39}) {
    EXPECT_THAT(refusal_of(ATTNRT_INVALID_ARGUMENT, [&](auto& a) { a.q.stride[0] = stride; }),
                HasSubstr("TMA counts from 0"));
  }
}

TEST_P(HopperAttend, RefusesMoreSequencesThanOnePlanTakes) {
  prepare();
  bounds(5000, 5000, 1, 1);
  EXPECT_THAT(
      refusal(ATTNRT_UNSUPPORTED,
              [&] {
                op_->schedule(make_batch({Ints(4097, 1), Ints(4097, 1)}), workspace_, nullptr);
              }),
      HasSubstr("4097 sequences with queries, FlashInfer's Hopper kernel takes 4096"));
}

constexpr int32_t kPrefillOp = ATTNRT_OP_PREFILL, kDecodeOp = ATTNRT_OP_DECODE;
const auto kFa2 =
    ::testing::Values(Kernel{"prefill", kPrefillOp, "bf16", Half::kBf16, 20, false},
                      Kernel{"prefill", kPrefillOp, "fp8_e4m3", Half::kBf16, 16, true},
                      Kernel{"prefill_f16", kPrefillOp, "f16", Half::kF16, 16, true},
                      Kernel{"decode", kDecodeOp, "bf16", Half::kBf16, 32, true},
                      Kernel{"decode_f16", kDecodeOp, "fp8_e4m3", Half::kF16, 16, false});
const auto kHopper =
    ::testing::Values(Kernel{"prefill_hopper", kPrefillOp, "bf16", Half::kBf16, 20, false},
                      Kernel{"prefill_hopper", kPrefillOp, "bf16", Half::kBf16, 16, true});
const auto kXqa =
    ::testing::Values(Kernel{"decode_xqa", kDecodeOp, "fp8_e4m3", Half::kBf16, 16, false},
                      Kernel{"decode_xqa", kDecodeOp, "fp8_e4m3", Half::kBf16, 64, true});
INSTANTIATE_TEST_SUITE_P(Fa2, FlashInferAttend, kFa2, name_of);
INSTANTIATE_TEST_SUITE_P(Hopper, FlashInferAttend, kHopper, name_of);
INSTANTIATE_TEST_SUITE_P(Xqa, FlashInferAttend, kXqa, name_of);
INSTANTIATE_TEST_SUITE_P(Fa2, AnyButHopper, kFa2, name_of);
INSTANTIATE_TEST_SUITE_P(Xqa, AnyButHopper, kXqa, name_of);
INSTANTIATE_TEST_SUITE_P(Fa2, AnyButXqa, kFa2, name_of);
INSTANTIATE_TEST_SUITE_P(Hopper, AnyButXqa, kHopper, name_of);
INSTANTIATE_TEST_SUITE_P(Fa2, Fa2Attend, kFa2, name_of);
INSTANTIATE_TEST_SUITE_P(Hopper, HopperAttend, kHopper, name_of);
INSTANTIATE_TEST_SUITE_P(Xqa, XqaAttend, kXqa, name_of);

}  // namespace
}  // namespace attnrt::flashinfer
