// Where a workload's queries, keys and values come from: a model's recording, or a seed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "attnrt/config.hpp"
#include "attnrt/plan.hpp"
#include "attnrt/result.hpp"

namespace attnrt::runtime {

// One sequence of a workload.
struct SequenceSpec {
  int32_t prompt = 0;   // tokens prefilled
  int32_t decode = 0;   // tokens decoded one by one
  int32_t arrival = 0;  // step at which it may begin
  int32_t length() const { return prompt + decode; }
};

// Rows of f32, those of a sequence one behind the other: q [q_heads, qk], k [kv_heads, qk],
// v [kv_heads, v], wanted [q_heads, v].
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  const std::vector<SequenceSpec>& sequences() const { return sequences_; }
  virtual const float* q(int32_t layer, int32_t sequence, int32_t position) const = 0;
  virtual const float* k(int32_t layer, int32_t sequence, int32_t position) const = 0;
  virtual const float* v(int32_t layer, int32_t sequence, int32_t position) const = 0;
  // What the model itself computed; null: unknown.
  virtual const float* wanted(int32_t layer, int32_t sequence, int32_t position) const = 0;
  virtual bool synthetic() const = 0;
  int64_t recorded_tokens() const { return recorded_tokens_; }  // that there are, used or not

 protected:
  std::vector<SequenceSpec> sequences_;
  int64_t recorded_tokens_ = 0;
};

// Errors (kInvalid): the file, or a recording whose tensors do not fit the model.
Result<std::unique_ptr<TensorSource>> open_recording(const RecordedWorkload& workload,
                                                     const ModelGeometry& model);
// Normally distributed values; the same ones for the same seed, everywhere.
std::unique_ptr<TensorSource> make_synthetic(const SyntheticWorkload& workload,
                                             const ModelGeometry& model);

}  // namespace attnrt::runtime
