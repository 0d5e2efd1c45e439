// Timing of one call, again and again, by the host's clock or by the device's.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "attnrt/bench.hpp"
#include "attnrt/result.hpp"
#include "bench/device/replay.hpp"

namespace attnrt::bench {

struct Timing {
  double median_ms = 0;
  double min_ms = 0;
  int64_t iterations = 0;
};

// Of at least one time.
Timing summarise(std::vector<double> times_ms);

// Two calls to warm up, then as many as the effort says; each is timed by itself. The first error
// ends it.
Result<Timing> measure(const BenchEffort& effort, const std::function<Status()>& call);

// The same of work on a device: one graph of so many calls, whose times are those of a call in it.
Result<Timing> measure(const BenchEffort& effort, Replay& replay, int64_t calls);

}  // namespace attnrt::bench
