// Other batches for launches that a graph has captured.
#include <algorithm>
#include <string>

#include "run/op_call.hpp"

namespace attnrt {

using runtime::BatchPart;
using runtime::Lane;
using runtime::PreparedOp;

namespace {

constexpr const char* kCaptureAgain = "begin another step, and capture it";

Error differs(std::string where, std::string expected, std::string found) {
  return Error{ErrorCode::kInvalid, std::move(where), std::move(expected), std::move(found),
               kCaptureAgain};
}

Error no_graph(const std::string& place) {
  return Error{ErrorCode::kInvalid, place, "a plan with the feature graph", "one without it",
               "ask for the feature graph when planning"};
}

// What a launch of append was captured with.
Status check_append(const attnrt_batch& before, const attnrt_batch& now, size_t group) {
  const std::string where = "update, cache group " + std::to_string(group);
  if (now.tokens != before.tokens) {
    return differs(where, std::to_string(before.tokens) + " query tokens, as captured",
                   std::to_string(now.tokens));
  }
  if (now.slot_mapping.device != before.slot_mapping.device) {
    return differs(where, "the array of slots that was captured, filled anew", "another array");
  }
  return Done{};
}

}  // namespace

Status Step::State::check_parts(const Lane& lane, const attnrt_batch& now,
                                const std::vector<Part>& captured) {
  const auto differ = [&](std::string found) {
    return differs("update, layer " + std::to_string(lane.layer),
                   "the calls of attend that were captured: as many parts of as many tokens each",
                   std::move(found));
  };
  runtime::split_batch(now, lane.rule, split_);
  if (split_.size() != captured.size()) {
    return differ(std::to_string(split_.size()) + " parts instead of " +
                  std::to_string(captured.size()));
  }
  for (size_t i = 0; i < captured.size(); ++i) {
    const Part& part = captured[i];
    const PreparedOp& op = *part.op;
    const std::string place =
        runtime::op_place(lane.layer, op.layer_class.op, op.instance().name());
    if ((op.layer_class.features & ATTNRT_FEATURE_GRAPH) == 0) return no_graph(place);
    const int32_t first = now.q_start.host[split_[i].first];
    const int32_t tokens = now.q_start.host[split_[i].end] - first;
    if (lane.op(split_[i].op) != part.op || first != part.first_token || tokens != part.tokens) {
      return differ("part " + std::to_string(i) + " has " + std::to_string(tokens) +
                    " tokens from " + std::to_string(first) + " on");
    }
  }
  return Done{};
}

Status Step::State::reschedule(const Lane& lane, const attnrt_batch& now,
                               const std::vector<Part>& captured) {
  runtime::split_batch(now, lane.rule, split_);
  for (size_t i = 0; i < captured.size(); ++i) {
    const Part& part = captured[i];
    attnrt_batch batch =
        runtime::part_of(now, split_[i], static_cast<int32_t*>(part.workspace->q_start.data()));
    if (Status s = mirror_q_start(batch, *part.workspace); !s) return s;
    const attnrt_plugin* table = part.op->instance().table();
    Status done = runtime::call_op(session, *part.op, lane.layer, stream, "reschedule",
                                   [&](attnrt_error* error) {
                                     return table->reschedule(part.schedule, &batch, stream, error);
                                   });
    if (!done) return done;
  }
  return Done{};
}

bool Step::State::rebases_queries() const {
  return std::any_of(parts.begin(), parts.end(), [](const std::vector<Part>& lane) {
    return !lane.empty() && lane.back().first_token > 0;  // parts are in the order of tokens
  });
}

Status Step::State::update(std::span<const attnrt_batch> given) {
  if (Status s = check(given); !s) return s;
  for (size_t g = 0; g < given.size(); ++g) {
    if (Status s = check_append(batches[g], given[g], g); !s) return s;
  }
  for (size_t i = 0; i < session.lanes.size(); ++i) {
    const Lane& lane = session.lanes[i];
    if (Status s = check_parts(lane, given[lane.group], parts[i]); !s) return s;
  }
  // Copies may still read query starts that are rebased. Plugins guard their own staging memory.
  if (rebases_queries()) {
    if (Status s = wait("update"); !s) return s;
  }
  batches.assign(given.begin(), given.end());
  for (size_t i = 0; i < session.lanes.size(); ++i) {
    const Lane& lane = session.lanes[i];
    if (Status s = reschedule(lane, batches[lane.group], parts[i]); !s) return s;
  }
  return Done{};
}

Status Step::update(std::span<const attnrt_batch> batches) {
  return state_->update(batches);
}

}  // namespace attnrt
