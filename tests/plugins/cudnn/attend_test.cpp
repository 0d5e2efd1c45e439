// The whole op without a GPU: the plugin's own code on the SIMT shim's device, and in cuDNN's place
// a plan that attends as cuDNN documents it, reading nothing but what it is handed.
#include "plugins/cudnn/attend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "kernels/codec/bf16.h"

namespace attnrt::cudnn {
namespace {

using codec::Bf16;
using testing::HasSubstr;

constexpr int32_t kHeads = 4, kKvHeads = 2, kDim = 64, kBlock = 4, kBlocks = 64;
constexpr float kScale = 0.125F;

// Attention of one query over keys [first, last) of a head; both sides of the comparison add up so.
struct Row {
  float out[kDim];
  float lse;
};
template <class KeyOf, class ValueOf>
Row attend_row(const uint16_t* q, int64_t first, int64_t last, KeyOf key, ValueOf value) {
  double sum = 0;
  double acc[kDim] = {};
  for (int64_t t = first; t < last; ++t) {
    double score = 0;
    for (int i = 0; i < kDim; ++i) score += double(Bf16::decode(q[i])) * Bf16::decode(key(t)[i]);
    const double weight = std::exp(score * kScale);
    sum += weight;
    for (int i = 0; i < kDim; ++i) acc[i] += weight * Bf16::decode(value(t)[i]);
  }
  Row row{};
  for (int i = 0; i < kDim; ++i) row.out[i] = sum == 0 ? 0.0F : static_cast<float>(acc[i] / sum);
  row.lse = sum == 0 ? -HUGE_VALF : static_cast<float>(std::log(sum));
  return row;
}

// cuDNN's words: ragged offsets in elements, lengths, page tables over pages of packed strides,
// masks aligned bottom right.
class FakePlan : public Plan {
 public:
  FakePlan(const LayerShape& layer, const BatchShape& batch) : l_(layer), b_(batch) {}
  uint64_t workspace_bytes() const override { return 512; }

  void run(const Pointers& p, void*) override {
    const auto ints = [](void* data) { return static_cast<const int32_t*>(data); };
    for (int32_t n = 0; n < b_.sequences; ++n) {
      const int32_t q_len = ints(p.q_lengths)[n];
      const int64_t kv_len = ints(p.kv_lengths)[n];
      EXPECT_LE(q_len, b_.q_len);
      EXPECT_LE(kv_len, b_.width * l_.block_size);
      for (int32_t i = 0; i < q_len; ++i) {
        const int64_t at = kv_len - q_len + i;
        const int64_t last = l_.causal ? at + 1 : kv_len;
        EXPECT_GT(last, 0) << "a query without keys";
        const int64_t first = l_.window > 0 ? std::max<int64_t>(0, at - l_.window + 1) : 0;
        for (int32_t h = 0; h < l_.q_heads; ++h) {
          const auto row_of = [&](void* data, void* table, int64_t t) {
            const int64_t page = ints(table)[n * b_.width + t / l_.block_size];
            const int64_t slot = t % l_.block_size;
            const int64_t kv_head = h / (l_.q_heads / l_.kv_heads);
            const int64_t in_page =
                l_.hnd ? kv_head * l_.block_size + slot : slot * l_.kv_heads + kv_head;
            return static_cast<const uint16_t*>(data) +
                   (page * l_.block_size * l_.kv_heads + in_page) * kDim;
          };
          const int64_t token = int64_t{i} * l_.q_heads + h;
          const Row row = attend_row(
              static_cast<const uint16_t*>(p.q) + ints(p.q_offsets)[n] + token * kDim, first, last,
              [&](int64_t t) { return row_of(p.k, p.k_table, t); },
              [&](int64_t t) { return row_of(p.v, p.v_table, t); });
          auto* out = static_cast<uint16_t*>(p.out) + ints(p.out_offsets)[n] + token * kDim;
          for (int d = 0; d < kDim; ++d) out[d] = static_cast<uint16_t>(Bf16::encode(row.out[d]));
          static_cast<float*>(p.stats)[ints(p.stats_offsets)[n] + token] = row.lse;
        }
      }
    }
  }

 private:
  LayerShape l_;
  BatchShape b_;
};

class FakeLibrary : public Library {
 public:
  std::unique_ptr<Plan> make_plan(const LayerShape& layer, const BatchShape& batch) override {
    made.push_back(batch);
    return std::make_unique<FakePlan>(layer, batch);
  }
  std::vector<BatchShape> made;
};

struct Sequences {
  std::vector<int32_t> q_len;
  std::vector<int32_t> kv_len;
};

class CudnnAttend : public ::testing::TestWithParam<bool> {
 protected:
  CudnnAttend() {
    attnrt_device device{};
    device.struct_size = sizeof device;
    device.kind = ATTNRT_DEVICE_SIMT;
    device.sm = 90;
    machine_ = cuda::open_machine(device);
    std::mt19937 random(7);
    std::uniform_real_distribution<float> values(-1, 1);
    for (auto& x : pool_) x = static_cast<uint16_t>(Bf16::encode(values(random)));
    for (auto& x : q_) x = static_cast<uint16_t>(Bf16::encode(values(random)));
  }

  // GetParam(): hnd. K and V of a block stand one behind the other, and another layer's behind
  // them.
  void prepare(uint64_t features, int32_t window = 0, int32_t op = ATTNRT_OP_PREFILL) {
    attnrt_layer_class c{};
    c.struct_size = sizeof c;
    c.op = op;
    c.q_heads = kHeads;
    c.kv_heads = kKvHeads;
    c.head_dim_qk = c.head_dim_v = kDim;
    c.q_dtype = c.out_dtype = ATTNRT_DTYPE_BF16;
    c.cache_format = "bf16";
    c.block_size = kBlock;
    c.layout = GetParam() ? ATTNRT_LAYOUT_HND : ATTNRT_LAYOUT_NHD;
    c.cache_kind = ATTNRT_CACHE_SEPARATE;
    c.features = features;
    c.window = window;
    layer_ = make_layer(op == ATTNRT_OP_DECODE ? "decode" : "prefill", c);
    op_ = make_attend(*machine_, library_, layer_);
    const attnrt_workspace_sizes sizes = op_->workspace({sizeof(attnrt_bounds), 8, 64, 16, 64});
    state_.assign(sizes.state.bytes, 0);
    scratch_.assign(sizes.scratch.bytes, 0xFF);
    staging_.assign(sizes.staging.bytes, 0);
    workspace_ = {sizeof workspace_, state_.data(),   scratch_.data(), staging_.data(),
                  state_.size(),     scratch_.size(), staging_.size()};
  }

  attnrt_batch make_batch(const Sequences& s) {
    const auto n = static_cast<int32_t>(s.q_len.size());
    q_start_ = {0};
    for (const int32_t q : s.q_len) q_start_.push_back(q_start_.back() + q);
    kv_len_ = s.kv_len;
    table_.assign(static_cast<size_t>(n) * 16, -1);
    std::mt19937 random(3);
    for (size_t i = 0; i < s.kv_len.size(); ++i) {
      for (int32_t page = 0; page * kBlock < s.kv_len[i]; ++page) {
        const int64_t oldest = int64_t{s.kv_len[i]} - s.q_len[i] - layer_.shape.window + 1;
        const bool freed = layer_.shape.window > 0 && (page + 1) * kBlock <= oldest;
        if (!freed) {
          table_[i * 16 + static_cast<size_t>(page)] = static_cast<int32_t>(random() % kBlocks);
        }
      }
    }
    attnrt_batch b{};
    b.struct_size = sizeof b;
    b.sequences = n;
    b.tokens = q_start_.back();
    b.q_start = {q_start_.data(), q_start_.data()};
    b.kv_len = {kv_len_.data(), kv_len_.data()};
    b.block_table = {table_.data(), table_.data()};
    b.block_table_stride = 16;
    return b;
  }

  attnrt_attend_args make_args() {
    const int64_t tokens = q_start_.back();
    out_.assign(static_cast<size_t>(tokens * kHeads * kDim), 0xFFFF);  // NaN
    lse_.assign(static_cast<size_t>(tokens * kHeads), NAN);
    attnrt_attend_args a{};
    a.struct_size = sizeof a;
    a.q = {q_.data(), ATTNRT_DTYPE_BF16, 3, {tokens, kHeads, kDim}, {kHeads * kDim, kDim, 1}};
    a.out = a.q;
    a.out.data = out_.data();
    a.lse = {lse_.data(), ATTNRT_DTYPE_F32, 2, {tokens, kHeads}, {kHeads, 1}};
    const int64_t row = kDim * 2;
    const bool hnd = GetParam();
    a.cache.k = {pool_.data(),
                 kStride * 2,
                 hnd ? row : kKvHeads * row,
                 hnd ? kBlock * row : row,
                 nullptr,
                 0,
                 0,
                 0};
    a.cache.v = a.cache.k;
    a.cache.v.data = pool_.data() + kPage;
    a.cache.blocks = kBlocks;
    a.cache.block_size = kBlock;
    a.cache.heads = kKvHeads;
    a.scratch = scratch_.data();
    return a;
  }

  // By the ABI's words: positions, block ids, byte strides.
  void expect_attention(const attnrt_attend_args& a) const {
    for (size_t n = 0; n < kv_len_.size(); ++n) {
      const int32_t q_len = q_start_[n + 1] - q_start_[n];
      for (int32_t i = 0; i < q_len; ++i) {
        const int64_t at = int64_t{kv_len_[n]} - q_len + i;
        const int64_t last = layer_.shape.causal ? std::max<int64_t>(at + 1, 0) : kv_len_[n];
        const int32_t window = layer_.shape.window;
        const int64_t first = window > 0 ? std::max<int64_t>(0, at - window + 1) : 0;
        for (int32_t h = 0; h < kHeads; ++h) {
          const auto row_of = [&](const attnrt_cache_side& side, int64_t t) {
            return reinterpret_cast<const uint16_t*>(plugin::cache_row(
                side, table_[n * 16 + static_cast<size_t>(t / kBlock)], t % kBlock, h / 2));
          };
          const size_t token = static_cast<size_t>((q_start_[n] + i) * kHeads + h);
          const Row row = attend_row(
              &q_[token * kDim], first, last, [&](int64_t t) { return row_of(a.cache.k, t); },
              [&](int64_t t) { return row_of(a.cache.v, t); });
          for (size_t d = 0; d < kDim; ++d) {
            ASSERT_EQ(out_[token * kDim + d], Bf16::encode(row.out[d]))
                << n << ' ' << i << ' ' << h;
          }
          if (a.lse.data != nullptr) {
            ASSERT_EQ(lse_[token], row.lse) << n << ' ' << i << ' ' << h;
          }
        }
      }
    }
  }

  void run(const Sequences& s) {
    const auto schedule = op_->schedule(make_batch(s), workspace_, nullptr);
    const attnrt_attend_args a = make_args();
    op_->attend(*schedule, a);
    expect_attention(a);
  }

  static constexpr int64_t kPage = kBlock * kKvHeads * kDim;  // elements
  static constexpr int64_t kStride = 4 * kPage;
  std::unique_ptr<cuda::Machine> machine_;
  FakeLibrary library_;
  Layer layer_{};
  std::unique_ptr<plugin::Op> op_;
  std::vector<uint16_t> pool_ = std::vector<uint16_t>(kBlocks * kStride);
  std::vector<uint16_t> q_ = std::vector<uint16_t>(64 * kHeads * kDim);
  std::vector<uint8_t> state_, scratch_, staging_;
  attnrt_workspace workspace_{};
  std::vector<int32_t> q_start_, kv_len_, table_;
  std::vector<uint16_t> out_;
  std::vector<float> lse_;
};

constexpr uint64_t kLse = ATTNRT_FEATURE_LSE;
const Sequences kRagged{{5, 1, 0, 7, 3, 2}, {20, 9, 12, 7, 0, 1}};

TEST_P(CudnnAttend, AttendsToRaggedBatches) {
  prepare(ATTNRT_FEATURE_CAUSAL | kLse);
  run(kRagged);
  run({{16}, {64}});
}

TEST_P(CudnnAttend, ReadsNoBlockOutsideTheWindow) {
  prepare(ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_WINDOW | kLse, 6);
  run({{3, 1, 9}, {60, 41, 9}});
}

TEST_P(CudnnAttend, SeesAllKeysWithoutACausalMask) {
  prepare(ATTNRT_FEATURE_NON_CAUSAL | kLse);
  run({{5, 2, 3}, {3, 0, 17}});
}

TEST_P(CudnnAttend, Decodes) {
  prepare(ATTNRT_FEATURE_CAUSAL | kLse, 0, ATTNRT_OP_DECODE);
  run({{1, 1, 0, 1, 1}, {1, 33, 8, 0, 64}});
  EXPECT_THROW(op_->schedule(make_batch({{2}, {8}}), workspace_, nullptr), PluginError);
}

TEST_P(CudnnAttend, MakesPlansForSizesOnceAndNeverInAttend) {
  prepare(ATTNRT_FEATURE_CAUSAL | kLse);
  ASSERT_EQ(library_.made.size(), 1U);  // of the bounds
  run({{5, 4}, {20, 9}});
  EXPECT_EQ(library_.made.size(), 2U);
  EXPECT_EQ(library_.made.back(), (BatchShape{2, 8, 8}));
  run({{7, 1}, {17, 30}});
  EXPECT_EQ(library_.made.size(), 2U);
}

TEST_P(CudnnAttend, ReplaysWhatIsRescheduledIntoACapturedGraph) {
  prepare(ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_GRAPH | kLse);
  const auto schedule = op_->schedule(make_batch({{1}, {1}}), workspace_, nullptr);
  for (const Sequences& s : {kRagged, Sequences{{8, 8, 8, 8}, {64, 60, 8, 11}}}) {
    schedule->reschedule(make_batch(s), nullptr);
    const attnrt_attend_args a = make_args();
    op_->attend(*schedule, a);
    expect_attention(a);
  }
  EXPECT_EQ(library_.made.size(), 1U);
  EXPECT_THROW(schedule->reschedule(make_batch({{17}, {17}}), nullptr), PluginError);
}

TEST_P(CudnnAttend, KeepsAnLseThatIsNotWantedInScratch) {
  prepare(ATTNRT_FEATURE_CAUSAL | kLse);
  const auto schedule = op_->schedule(make_batch(kRagged), workspace_, nullptr);
  attnrt_attend_args a = make_args();
  a.lse.data = nullptr;
  op_->attend(*schedule, a);
  expect_attention(a);
  for (const float lse : lse_) EXPECT_TRUE(std::isnan(lse));
}

TEST_P(CudnnAttend, RefusesLessMemoryThanAPlanNeeds) {
  prepare(ATTNRT_FEATURE_CAUSAL | kLse);
  const auto refusal = [&] {
    try {
      op_->schedule(make_batch(kRagged), workspace_, nullptr);
    } catch (const PluginError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  attnrt_workspace whole = workspace_;
  workspace_.scratch_bytes = 64;
  EXPECT_THAT(refusal(), HasSubstr("scratch has 64 bytes"));
  workspace_ = whole;
  workspace_.state_bytes = 64;
  EXPECT_THAT(refusal(), HasSubstr("state has 64 bytes"));
  workspace_ = whole;
  workspace_.staging_bytes = 64;
  EXPECT_THAT(refusal(), HasSubstr("staging has 64 bytes"));
}

// A part of a batch begins anywhere in lse, which cuDNN's plan takes at multiples of 16 bytes.
TEST_P(CudnnAttend, WritesAnLseThatBeginsAnywhere) {
  prepare(ATTNRT_FEATURE_CAUSAL | kLse);
  const auto schedule = op_->schedule(make_batch(kRagged), workspace_, nullptr);
  attnrt_attend_args a = make_args();
  const size_t rows = lse_.size();
  lse_.push_back(NAN);
  a.lse.data = lse_.data() + 1;
  op_->attend(*schedule, a);
  EXPECT_TRUE(std::isnan(lse_[0]));
  lse_.erase(lse_.begin());
  ASSERT_EQ(lse_.size(), rows);
  expect_attention(a);
}

TEST_P(CudnnAttend, RefusesRowsThatItsManifestDoesNotList) {
  prepare(ATTNRT_FEATURE_CAUSAL | kLse);
  const auto schedule = op_->schedule(make_batch(kRagged), workspace_, nullptr);
  const auto refusal = [&](auto change) {
    attnrt_attend_args a = make_args();
    change(a);
    try {
      op_->attend(*schedule, a);
    } catch (const PluginError& e) {
      EXPECT_EQ(e.status(), ATTNRT_UNSUPPORTED) << e.what();
      return std::string(e.what());
    }
    return std::string();
  };
  using Args = attnrt_attend_args;
  EXPECT_EQ(refusal([](Args&) {}), "");
  EXPECT_THAT(refusal([](Args& a) { a.q.stride[0] += 64; }), HasSubstr("q has strides of 320"));
  EXPECT_THAT(refusal([](Args& a) { a.out.stride[1] += 8; }), HasSubstr("out has strides"));
  EXPECT_THAT(refusal([](Args& a) { a.lse.stride[0] += 1; }), HasSubstr("lse has strides"));
  EXPECT_THAT(refusal([](Args& a) { a.q.data = static_cast<uint16_t*>(a.q.data) + 4; }),
              HasSubstr("q begins"));
  EXPECT_THAT(refusal([](Args& a) { a.out.data = static_cast<uint16_t*>(a.out.data) + 4; }),
              HasSubstr("out begins"));
  EXPECT_THAT(refusal([](Args& a) { a.cache.k.token_stride += 16; }), HasSubstr("cache.k"));
  EXPECT_THAT(refusal([](Args& a) { a.cache.v.block_stride += 16; }),
              HasSubstr("cache.v.block_stride"));
  EXPECT_THAT(refusal([](Args& a) { a.cache.v.data = static_cast<uint16_t*>(a.cache.v.data) + 4; }),
              HasSubstr("cache.v begins"));
  for (const uint16_t x : out_) EXPECT_EQ(x, 0xFFFF) << "written before it was refused";
}

TEST_P(CudnnAttend, RefusesWhatTheCallerMayNotGive) {
  prepare(ATTNRT_FEATURE_CAUSAL);  // no lse
  const auto schedule = op_->schedule(make_batch(kRagged), workspace_, nullptr);
  const auto refusal = [&](auto change) {
    attnrt_attend_args a = make_args();
    a.lse.data = nullptr;
    change(a);
    try {
      op_->attend(*schedule, a);
    } catch (const PluginError& e) {
      EXPECT_EQ(e.status(), ATTNRT_INVALID_ARGUMENT) << e.what();
      return std::string(e.what());
    }
    return std::string();
  };
  using Args = attnrt_attend_args;
  float two = 2;
  EXPECT_EQ(refusal([](Args&) {}), "");
  EXPECT_THAT(refusal([&](Args& a) { a.lse.data = lse_.data(); }),
              HasSubstr("without the feature"));
  EXPECT_THAT(refusal([&](Args& a) { a.q_scale = {&two, 1, 2.0F}; }), HasSubstr("q_scale"));
  EXPECT_THAT(refusal([&](Args& a) { a.out_scale = {&two, 1, 2.0F}; }), HasSubstr("out_scale"));
  EXPECT_THAT(refusal([&](Args& a) {
                a.cache.k_scale = {&two, 1, NAN};
              }),
              HasSubstr("cache.k_scale"));
  EXPECT_THAT(refusal([](Args& a) { a.q.dtype = ATTNRT_DTYPE_F16; }), HasSubstr("q is f16"));
  EXPECT_THAT(refusal([](Args& a) { a.out.shape[0] -= 1; }), HasSubstr("out has shape"));
  EXPECT_THAT(refusal([](Args& a) { a.cache.block_size = 8; }), HasSubstr("block_size"));
  EXPECT_THAT(refusal([](Args& a) { a.scratch = nullptr; }), HasSubstr("scratch is null"));
}

TEST_P(CudnnAttend, RefusesBatchesThatBreakTheContract) {
  prepare(ATTNRT_FEATURE_CAUSAL | kLse);
  const auto refusal = [&](auto change) {
    attnrt_batch b = make_batch(kRagged);
    change(b);
    try {
      op_->schedule(b, workspace_, nullptr);
    } catch (const PluginError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(refusal([](attnrt_batch&) {}), "");
  EXPECT_THAT(refusal([](attnrt_batch& b) { b.q_start.host = nullptr; }),
              HasSubstr("device_lengths"));
  EXPECT_THAT(refusal([](attnrt_batch& b) { b.tokens += 1; }), HasSubstr("from 0 to tokens"));
  EXPECT_THAT(refusal([](attnrt_batch& b) { b.block_table.device = nullptr; }),
              HasSubstr("block table holds"));
  EXPECT_THAT(refusal([](attnrt_batch& b) { b.block_table_stride = 4; }),
              HasSubstr("block table holds 16"));
  EXPECT_THAT(refusal([&](attnrt_batch&) { kv_len_[0] = 1 << 12; }),
              HasSubstr("sequence 0 has 4096 keys"));
  EXPECT_THAT(refusal([&](attnrt_batch&) { kv_len_[1] = -1; }), HasSubstr("sequence 1 has"));
  // Beyond the bounds that memory was taken for.
  std::vector<int32_t> many(2000 + 1), keys(2000, 1), blocks(2000, 0);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<int32_t>(i);
  EXPECT_THAT(refusal([&](attnrt_batch& b) {
                b.sequences = b.tokens = 2000;
                b.q_start = {many.data(), many.data()};
                b.kv_len = {keys.data(), keys.data()};
                b.block_table = {blocks.data(), blocks.data()};
                b.block_table_stride = 1;
              }),
              HasSubstr("scratch has"));
}

INSTANTIATE_TEST_SUITE_P(Layouts, CudnnAttend, ::testing::Bool(),
                         [](const auto& layout) { return layout.param ? "hnd" : "nhd"; });

}  // namespace
}  // namespace attnrt::cudnn
