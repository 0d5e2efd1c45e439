// A batch of decodes and prefills, divided where no kernel takes both in one call. Pure.
//
// Parts are ranges of neighbouring sequences, so q and out are passed as sub-ranges and nothing is
// copied or scattered back. A prefill kernel takes any number of query tokens, so few-token
// sequences that stand between longer ones may go with them: at most three parts
// (decode | prefill | decode), two if decodes stand at one end. Where results must not depend on
// what else is in the batch (batch_invariant), each sequence goes where its own length sends it.
#pragma once

#include <cstdint>
#include <vector>

#include "attnrt/manifest.hpp"
#include "attnrt/plugin.h"

namespace attnrt::runtime {

struct SplitRule {
  int32_t decode_tokens = 1;     // decode takes up to so many query tokens a sequence
  bool mixed = false;            // a kernel takes both
  bool batch_invariant = false;  // then `mixed` is not used
};

struct BatchPart {
  Op op = Op::kDecode;
  int32_t first = 0;  // sequences
  int32_t end = 0;
};

// Sequences without queries go with their neighbours. No parts if there is nothing to attend.
void split_batch(const attnrt_batch& batch, const SplitRule& rule, std::vector<BatchPart>& out);

// The part as a batch of its own. q_start: [part's sequences + 1], written unless the part begins
// at token 0, on the host; the caller mirrors it on a device. Needs host copies of q_start.
attnrt_batch part_of(const attnrt_batch& batch, const BatchPart& part, int32_t* q_start);

}  // namespace attnrt::runtime
