// A decode step captured once and replayed with new lengths, through a session: what was captured
// are launches with their parameters as they were, so all that changes must stand in memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "attnrt/load.hpp"
#include "attnrt/session.hpp"
#include "tests/simt/stream.hpp"

namespace attnrt {
namespace {

constexpr int32_t kLayers = 2;
constexpr int32_t kQHeads = 4;
constexpr int32_t kKvHeads = 2;
constexpr int32_t kDim = 64;
constexpr int32_t kSequences = 3;
constexpr int32_t kBlocksOfSequence = 24;

Plan make_plan(const PluginRegistry& registry, Format format) {
  ModelGeometry model;
  model.dtype = DType::kBf16;
  model.layers.assign(kLayers, LayerGeometry{kQHeads, kKvHeads, {kDim, kDim}});
  PlanOptions options;
  options.kv_cache.format = *parse_spelling(name(format));
  options.features = {Feature::kGraph};
  options.policy.prefer = {"cuda_simt"};
  Result<PlanOutcome> planned =
      plan(model, *parse_device("simt:sm_90", {}), options, registry.catalog());
  EXPECT_TRUE(planned && planned->plan);
  return std::move(*planned->plan);
}

// One token a sequence; its arrays stay where they are, as a graph needs it.
struct Decode {
  Decode(int32_t block_size, std::vector<int32_t> lengths) : kv_len(std::move(lengths)) {
    for (int32_t s = 0; s <= kSequences; ++s) q_start.push_back(s);
    for (int32_t s = 0; s < kSequences; ++s) {
      // Sequences take turns, so that neighbours in a table are none in memory.
      for (int32_t i = 0; i < kBlocksOfSequence; ++i) table.push_back(i * kSequences + s);
    }
    set_lengths(block_size, kv_len);
  }

  void set_lengths(int32_t block_size, const std::vector<int32_t>& lengths) {
    std::copy(lengths.begin(), lengths.end(), kv_len.begin());
    slots.resize(kSequences);
    for (int32_t s = 0; s < kSequences; ++s) {
      const int32_t last = kv_len[static_cast<size_t>(s)] - 1;
      const int32_t block = table[static_cast<size_t>(s * kBlocksOfSequence + last / block_size)];
      slots[static_cast<size_t>(s)] = int64_t{block} * block_size + last % block_size;
    }
  }

  // All begin with the first sequence's blocks.
  void share(int32_t blocks) {
    for (int32_t s = 1; s < kSequences; ++s) {
      std::copy_n(table.begin(), blocks, table.begin() + s * kBlocksOfSequence);
    }
  }

  attnrt_batch batch() const {
    attnrt_batch b{};
    b.struct_size = sizeof b;
    b.sequences = b.tokens = kSequences;
    b.max_q_len = 1;
    b.max_kv_len = *std::max_element(kv_len.begin(), kv_len.end());
    b.q_start = {q_start.data(), q_start.data()};
    b.kv_len = {kv_len.data(), kv_len.data()};
    b.block_table = {table.data(), table.data()};
    b.block_table_stride = kBlocksOfSequence;
    b.slot_mapping = {slots.data(), slots.data()};
    return b;
  }

  std::vector<int32_t> q_start, kv_len, table;
  std::vector<int64_t> slots;
};

// Queries, keys and values of a step: bf16 between 1 and 2, of either sign.
struct Tensors {
  Tensors() { fill(0); }

  void fill(uint32_t seed) {
    std::mt19937 random(seed);
    for (auto* rows : {&q, &k, &v}) {
      for (uint16_t& x : *rows) x = static_cast<uint16_t>(0x3f80 | (random() & 0x807f));
    }
  }
  TensorView view(std::vector<uint16_t>& rows, int32_t heads) {
    return make_tensor(rows.data(), DType::kBf16, {kSequences, heads, kDim});
  }

  std::vector<uint16_t> q = std::vector<uint16_t>(kSequences * kQHeads * kDim);
  std::vector<uint16_t> k = std::vector<uint16_t>(kSequences * kKvHeads * kDim);
  std::vector<uint16_t> v = k;
  std::vector<uint16_t> out[kLayers] = {q, q};
};

void run(Step& step, Tensors& t) {
  for (int32_t layer = 0; layer < kLayers; ++layer) {
    const Status stored = step.append(layer, t.view(t.k, kKvHeads), t.view(t.v, kKvHeads));
    ASSERT_TRUE(stored) << to_string(stored.error());
    const Status done = step.attend(layer, t.view(t.q, kQHeads), t.view(t.out[layer], kQHeads));
    ASSERT_TRUE(done) << to_string(done.error());
  }
}

PluginRegistry scan() {
  SearchOptions options;
  options.path = {ATTNRT_SIMT_PLUGINS};
  return PluginRegistry::scan(options);
}

class Graph : public ::testing::TestWithParam<Format> {
 protected:
  Graph() : registry_(scan()) {
    SessionOptions options;
    options.max_sequences = kSequences;
    options.max_tokens = kSequences;
    options.max_kv_len = 384;
    options.blocks = 96;
    Result<Session> session = Session::open(make_plan(registry_, GetParam()), registry_, options);
    EXPECT_TRUE(session) << to_string(session.error());
    session_.emplace(std::move(*session));
    block_size_ = session_->plan().layers[0].block_size;
  }

  // The keys before a step's own.
  void fill_cache(int32_t keys) {
    Tensors t;
    Decode all(block_size_, {1, 1, 1});
    for (int32_t length = 1; length <= keys; ++length) {
      t.fill(static_cast<uint32_t>(1000 + length));
      all.set_lengths(block_size_, {length, length, length});
      const attnrt_batch batch = all.batch();
      Result<Step> step = session_->begin({&batch, 1});
      ASSERT_TRUE(step) << to_string(step.error());
      for (int32_t layer = 0; layer < kLayers; ++layer) {
        ASSERT_TRUE(step->append(layer, t.view(t.k, kKvHeads), t.view(t.v, kKvHeads)));
      }
    }
  }

  void capture(const Decode& decode) {
    attnrt_batch batch = decode.batch();
    Result<Step> begun = session_->begin({&batch, 1}, &stream_);
    ASSERT_TRUE(begun) << to_string(begun.error());
    captured_.emplace(std::move(*begun));
    stream_.capturing = true;
    run(*captured_, tensors_);
    stream_.capturing = false;
    ASSERT_EQ(stream_.launches.size(), size_t{2} * kLayers);
  }

  // The replay gives what a step of its own gives.
  void expect_replay(const Decode& decode, uint32_t seed) {
    tensors_.fill(seed);
    attnrt_batch batch = decode.batch();
    const Status updated = captured_->update({&batch, 1});
    ASSERT_TRUE(updated) << to_string(updated.error());
    const char* error = stream_.replay();
    ASSERT_EQ(error, nullptr) << error;

    Tensors again = tensors_;
    for (auto& out : again.out) std::fill(out.begin(), out.end(), uint16_t{0});
    Result<Step> step = session_->begin({&batch, 1});
    ASSERT_TRUE(step) << to_string(step.error());
    run(*step, again);
    for (int32_t layer = 0; layer < kLayers; ++layer) {
      EXPECT_EQ(tensors_.out[layer], again.out[layer]) << "seed " << seed << ", layer " << layer;
    }
  }

  PluginRegistry registry_;
  std::optional<Session> session_;
  int32_t block_size_ = 0;
  simt::Stream stream_;
  Tensors tensors_;
  std::optional<Step> captured_;
};

TEST_P(Graph, ReplaysADecodeStepWithNewLengths) {
  fill_cache(200);
  const std::vector<std::vector<int32_t>> lengths = {{17, 130, 2}, {18, 131, 3}, {200, 1, 64}};
  Decode decode(block_size_, lengths[0]);
  capture(decode);
  for (size_t i = 0; i < lengths.size(); ++i) {
    decode.set_lengths(block_size_, lengths[i]);
    expect_replay(decode, static_cast<uint32_t>(i));
  }
}

TEST_P(Graph, ReplaysADecodeStepWhoseSequencesComeToShareAPrefix) {
  fill_cache(320);
  Decode decode(block_size_, {300, 310, 320});
  capture(decode);
  expect_replay(decode, 1);
  decode.share(288 / block_size_);
  decode.set_lengths(block_size_, {301, 311, 321});
  expect_replay(decode, 2);
}

INSTANTIATE_TEST_SUITE_P(Formats, Graph,
                         ::testing::Values(Format::kBf16, Format::kFp8E4m3,
                                           Format::kInt8PerTokenHead),
                         [](const auto& each) { return std::string(name(each.param)); });

}  // namespace
}  // namespace attnrt
