// What layers need beside q, k and v: factors of quantised caches, calibrated as engines do from
// the largest magnitude of the prompts, and the sinks and ALiBi slopes of models that have them.
#pragma once

#include <vector>

#include "attnrt/plan.hpp"
#include "attnrt/session.hpp"
#include "run/tensor_source.hpp"

namespace attnrt::runtime {

// The largest magnitude that a format with a factor per tensor can store; 0: it takes no factor.
float largest_stored(Format format);

// Keeps the arrays that a session's layers point at; outlives the session's steps.
class LayerInputs {
 public:
  // k_scale and v_scale make the largest value of a layer's prompts (of the first 16 tokens where a
  // sequence has no prompt) the largest that the format stores. Slopes are ALiBi's own
  // 2^(-8 (h + 1) / heads); sinks are made up, since only synthetic workloads come without them.
  Status set(Session& session, const TensorSource& source, const std::vector<int32_t>& layers);

 private:
  std::vector<std::vector<float>> arrays_;
  const float* keep(std::vector<float> values);
};

}  // namespace attnrt::runtime
