// A workload's steps: which sequence brings how many tokens when. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "run/tensor_source.hpp"

namespace attnrt::runtime {

// A sequence's share of a step.
struct Slice {
  int32_t sequence = 0;
  int32_t past = 0;    // tokens before this step
  int32_t tokens = 0;  // of this step
};

struct TimelineStep {
  std::vector<Slice> slices;  // one-token slices first: decodes stand best at one end of a batch
  bool decode_only = false;
  int32_t tokens() const;
};

// Continuous batching: sequences start at their arrival, prefill (at most chunk_tokens a step; 0:
// all at once), then decode one token a step. Idle steps are left out. Empty sequences stand in the
// step of their arrival with no tokens.
std::vector<TimelineStep> make_timeline(std::span<const SequenceSpec> sequences,
                                        int32_t chunk_tokens);

}  // namespace attnrt::runtime
