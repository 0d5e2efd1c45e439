#include "run/timeline.hpp"

#include <algorithm>

namespace attnrt::runtime {
namespace {

int32_t next_tokens(const SequenceSpec& s, int32_t done, int32_t chunk_tokens) {
  if (done >= s.prompt) return std::min(s.length() - done, 1);
  const int32_t rest = s.prompt - done;
  return chunk_tokens > 0 ? std::min(rest, chunk_tokens) : rest;
}

}  // namespace

int32_t TimelineStep::tokens() const {
  int32_t sum = 0;
  for (const Slice& s : slices) sum += s.tokens;
  return sum;
}

std::vector<TimelineStep> make_timeline(std::span<const SequenceSpec> sequences,
                                        int32_t chunk_tokens) {
  std::vector<TimelineStep> timeline;
  std::vector<int32_t> done(sequences.size(), 0);
  size_t unfinished = sequences.size();
  for (int32_t now = 0; unfinished > 0; ++now) {
    TimelineStep step;
    step.decode_only = true;
    bool any = false;
    int32_t next_arrival = INT32_MAX;
    for (size_t i = 0; i < sequences.size(); ++i) {
      const SequenceSpec& s = sequences[i];
      if (now < s.arrival) next_arrival = std::min(next_arrival, s.arrival);
      const bool empty = s.length() == 0 && now == s.arrival;
      if (now < s.arrival || (done[i] >= s.length() && !empty)) continue;
      const int32_t tokens = next_tokens(s, done[i], chunk_tokens);
      step.slices.push_back({static_cast<int32_t>(i), done[i], tokens});
      step.decode_only = step.decode_only && done[i] >= s.prompt;
      any = any || tokens > 0;
      done[i] += tokens;
      if (done[i] >= s.length()) --unfinished;
    }
    std::stable_sort(step.slices.begin(), step.slices.end(), [](const Slice& a, const Slice& b) {
      return (a.tokens <= 1) > (b.tokens <= 1);
    });
    if (any) timeline.push_back(std::move(step));
    if (!any && unfinished > 0 && next_arrival != INT32_MAX) now = next_arrival - 1;
  }
  return timeline;
}

}  // namespace attnrt::runtime
