// How fast a device copies its own memory: its limit, by the same functions that its plugin works
// with.
#pragma once

#include "bench/device/replay.hpp"
#include "bench/machine/limits.hpp"

namespace attnrt::bench {

// Of so many bytes, more than a cache holds; the best of several. Errors: kInternal, e.g. where
// memory is short. Precondition: check_timing.
Result<ReadLimit> measure_copy(const Stream& stream, int64_t bytes);

}  // namespace attnrt::bench
