// Inputs of a step: sequences with random q, k and v, their block tables and batches, over all
// groups and layers of a session; and what attention over them should give.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "attnrt/session.hpp"
#include "tests/run/fake_plugin.hpp"

namespace attnrt::testing_fakes {

// Room for such steps.
inline SessionOptions small() {
  SessionOptions options;
  options.max_sequences = 8;
  options.max_tokens = 64;
  options.max_kv_len = 64;
  options.blocks = 64;
  return options;
}

// A sequence: query tokens of this step, tokens before it.
struct Lengths {
  int32_t q_len;
  int32_t past;
};

class StepInputs {
 public:
  // The tokens before the step are appended at once, so that the caches hold them.
  StepInputs(Session& session, std::vector<Lengths> lengths);

  std::span<const attnrt_batch> batches() const { return batches_; }
  TensorView q(int32_t layer) { return tensor(layers_[at(layer)].q, layer, true, true); }
  TensorView k(int32_t layer) { return tensor(layers_[at(layer)].k, layer, false, true); }
  TensorView v(int32_t layer) { return tensor(layers_[at(layer)].v, layer, false, false); }
  TensorView out(int32_t layer) { return tensor(layers_[at(layer)].out, layer, true, false); }
  const std::vector<float>& result(int32_t layer) const { return layers_[at(layer)].out; }
  // The same attention, from the rows themselves and not from any cache.
  std::vector<float> wanted(int32_t layer) const;

  std::vector<attnrt_batch> batches_;  // a test may spoil them

 private:
  struct Layer {
    LayerGeometry geometry;
    std::vector<float> q, k, v, out;               // of the step's tokens
    std::vector<std::vector<float>> all_k, all_v;  // a sequence: all tokens
  };
  struct Group {
    std::unique_ptr<BlockTables> tables;
    std::vector<int32_t> table;
    std::vector<int64_t> slots;
    int64_t stride = 0;
  };
  static size_t at(int32_t layer) { return static_cast<size_t>(layer); }
  TensorView tensor(std::vector<float>& data, int32_t layer, bool query, bool qk);
  void add_past(Session& session);
  void add_layers(const Plan& plan);
  attnrt_batch batch(const Group& group, const std::vector<int32_t>& q_start,
                     const std::vector<int32_t>& kv_len) const;

  std::vector<Lengths> lengths_;
  std::vector<int32_t> handles_;
  std::vector<int32_t> q_start_, kv_len_, past_start_, past_len_;
  std::vector<Layer> layers_;
  std::vector<Group> groups_;
};

}  // namespace attnrt::testing_fakes
