#include "tests/run/step_inputs.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace attnrt::testing_fakes {
namespace {

std::vector<float> random_rows(std::mt19937& random, int64_t values) {
  std::normal_distribution<float> normal;
  std::vector<float> rows(static_cast<size_t>(values));
  for (float& x : rows) x = normal(random);
  return rows;
}

}  // namespace

StepInputs::StepInputs(Session& session, std::vector<Lengths> lengths)
    : lengths_(std::move(lengths)), q_start_{0}, past_start_{0} {
  for (size_t g = 0; g < session.plan().groups.size(); ++g) {
    groups_.emplace_back();
    groups_.back().tables =
        std::make_unique<BlockTables>(session.make_tables(static_cast<uint32_t>(g)));
  }
  for (const Lengths& l : lengths_) {
    q_start_.push_back(q_start_.back() + l.q_len);
    kv_len_.push_back(l.past + l.q_len);
    past_start_.push_back(past_start_.back() + l.past);
    past_len_.push_back(l.past);
    for (Group& group : groups_) handles_.push_back(group.tables->add());
  }
  add_layers(session.plan());
  add_past(session);
  for (Group& group : groups_) {
    group.slots.clear();
    std::vector<BlockPair> copies;
    std::vector<int32_t> ids;
    for (size_t i = 0; i < lengths_.size(); ++i) {
      ids.push_back(static_cast<int32_t>(i));
      EXPECT_TRUE(group.tables->extend(ids.back(), lengths_[i].q_len, group.slots, copies));
    }
    group.stride = group.tables->table(ids, group.table);
    batches_.push_back(batch(group, q_start_, kv_len_));
  }
}

void StepInputs::add_layers(const Plan& plan) {
  std::mt19937 random(42);
  for (const LayerPlan& layer : plan.layers) {
    Layer l;
    l.geometry = layer.geometry;
    const LayerGeometry& g = l.geometry;
    l.q = random_rows(random, int64_t{q_start_.back()} * g.q_heads * g.head_dim.qk);
    l.out.assign(static_cast<size_t>(q_start_.back() * g.q_heads * g.head_dim.v), -99.0f);
    for (const Lengths& lengths : lengths_) {
      const int64_t tokens = lengths.past + lengths.q_len;
      l.all_k.push_back(random_rows(random, tokens * g.kv_heads * g.head_dim.qk));
      l.all_v.push_back(random_rows(random, tokens * g.kv_heads * g.head_dim.v));
      const auto new_k = lengths.past * g.kv_heads * g.head_dim.qk;
      const auto new_v = lengths.past * g.kv_heads * g.head_dim.v;
      l.k.insert(l.k.end(), l.all_k.back().begin() + new_k, l.all_k.back().end());
      l.v.insert(l.v.end(), l.all_v.back().begin() + new_v, l.all_v.back().end());
    }
    layers_.push_back(std::move(l));
  }
}

void StepInputs::add_past(Session& session) {
  if (past_start_.back() == 0) return;
  std::vector<attnrt_batch> past;
  for (Group& group : groups_) {
    std::vector<BlockPair> copies;
    std::vector<int32_t> ids;
    for (size_t i = 0; i < lengths_.size(); ++i) {
      ids.push_back(static_cast<int32_t>(i));
      EXPECT_TRUE(group.tables->extend(ids.back(), lengths_[i].past, group.slots, copies));
    }
    group.stride = group.tables->table(ids, group.table);
    past.push_back(batch(group, past_start_, past_len_));
  }
  Result<Step> step = session.begin(past);
  ASSERT_TRUE(step) << to_string(step.error());
  for (size_t i = 0; i < layers_.size(); ++i) {
    const LayerGeometry& g = layers_[i].geometry;
    std::vector<float> k, v;
    for (size_t s = 0; s < lengths_.size(); ++s) {
      const auto rows = lengths_[s].past * g.kv_heads;
      const auto& all_k = layers_[i].all_k[s];
      const auto& all_v = layers_[i].all_v[s];
      k.insert(k.end(), all_k.begin(), all_k.begin() + rows * g.head_dim.qk);
      v.insert(v.end(), all_v.begin(), all_v.begin() + rows * g.head_dim.v);
    }
    const int64_t tokens = past_start_.back();
    const TensorView k_view =
        make_tensor(k.data(), DType::kF32, {tokens, g.kv_heads, g.head_dim.qk});
    const TensorView v_view =
        make_tensor(v.data(), DType::kF32, {tokens, g.kv_heads, g.head_dim.v});
    const bool latent = g.cache == CacheKind::kLatent;
    Status done = step->append(static_cast<int32_t>(i), k_view, latent ? TensorView{} : v_view);
    ASSERT_TRUE(done) << to_string(done.error());
  }
}

attnrt_batch StepInputs::batch(const Group& group, const std::vector<int32_t>& q_start,
                               const std::vector<int32_t>& kv_len) const {
  attnrt_batch b{};
  b.struct_size = sizeof b;
  b.sequences = static_cast<int32_t>(kv_len.size());
  b.tokens = q_start.back();
  for (size_t i = 0; i < kv_len.size(); ++i) {
    b.max_q_len = std::max(b.max_q_len, q_start[i + 1] - q_start[i]);
    b.max_kv_len = std::max<int64_t>(b.max_kv_len, kv_len[i]);
  }
  b.q_start = {q_start.data(), q_start.data()};
  b.kv_len = {kv_len.data(), kv_len.data()};
  b.block_table = {group.table.data(), group.table.data()};
  b.block_table_stride = group.stride;
  b.slot_mapping = {group.slots.data(), group.slots.data()};
  return b;
}

TensorView StepInputs::tensor(std::vector<float>& data, int32_t layer, bool query, bool qk) {
  const LayerGeometry& g = layers_[at(layer)].geometry;
  return make_tensor(
      data.data(), DType::kF32,
      {q_start_.back(), query ? g.q_heads : g.kv_heads, qk ? g.head_dim.qk : g.head_dim.v});
}

std::vector<float> StepInputs::wanted(int32_t layer) const {
  const Layer& l = layers_[at(layer)];
  const LayerGeometry& g = l.geometry;
  const bool latent = g.cache == CacheKind::kLatent;
  std::vector<float> result;
  for (size_t s = 0; s < lengths_.size(); ++s) {
    for (int32_t i = 0; i < lengths_[s].q_len * g.q_heads; ++i) {
      const int32_t position = lengths_[s].past + i / g.q_heads;
      const int32_t first = g.window > 0 ? std::max(position - g.window + 1, 0) : 0;
      const int32_t kv_head = i % g.q_heads / (g.q_heads / g.kv_heads);
      std::vector<const float*> keys, values;
      for (int32_t p = first; p <= position; ++p) {
        const int32_t row = p * g.kv_heads + kv_head;
        keys.push_back(l.all_k[s].data() + row * g.head_dim.qk);
        values.push_back(latent ? keys.back() : l.all_v[s].data() + row * g.head_dim.v);
      }
      const float* q = l.q.data() + (q_start_[s] * g.q_heads + i) * g.head_dim.qk;
      const std::vector<float> out = attention({q, q + g.head_dim.qk}, keys, values, g.head_dim.v,
                                               1 / std::sqrt(static_cast<double>(g.head_dim.qk)));
      result.insert(result.end(), out.begin(), out.end());
    }
  }
  return result;
}

}  // namespace attnrt::testing_fakes
