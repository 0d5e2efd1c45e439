// Attention over a workload's sample by another plugin, in a session of its own: what the run's
// outputs are judged by.
#pragma once

#include <functional>
#include <vector>

#include "attnrt/config.hpp"
#include "attnrt/load.hpp"
#include "attnrt/session.hpp"
#include "run/row_sample.hpp"
#include "run/tensor_source.hpp"

namespace attnrt::runtime {

struct OracleRequest {
  const RunConfig& config;
  const PluginRegistry& registry;
  const TensorSource& source;
  const std::vector<int32_t>& layers;
  const RowSample& sample;
  // Formats of the run's plan, so that a spelling with several meanings has one; or all f32.
  enum class Cache : uint8_t { kAsPlanned, kF32 };
  Cache cache = Cache::kAsPlanned;
  const Plan& plan;
};

// Outputs of the sample's rows in f32, a model layer (empty: not run). The plugin is
// config.verify->against, one of the registry's. Error: it can't serve what was planned.
Result<std::vector<std::vector<float>>> ask_oracle(const OracleRequest& request,
                                                   const std::function<void(double)>& progress);

}  // namespace attnrt::runtime
