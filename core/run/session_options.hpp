// What a run's configuration and workload ask of a session.
#pragma once

#include <span>

#include "attnrt/config.hpp"
#include "attnrt/session.hpp"
#include "run/tensor_source.hpp"
#include "run/timeline.hpp"

namespace attnrt::runtime {

// Bounds on tokens and sequences of a step are the caller's to set.
SessionOptions session_options(const RunConfig& config, const Plan& plan,
                               std::span<const SequenceSpec> sequences);

}  // namespace attnrt::runtime
