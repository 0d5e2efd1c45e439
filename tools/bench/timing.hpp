// Timing of one call, again and again.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "attnrt/bench.hpp"
#include "attnrt/result.hpp"

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

}  // namespace attnrt::bench
