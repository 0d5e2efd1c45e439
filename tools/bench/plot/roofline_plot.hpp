// The roofline: what the machine can do over how much there is to compute for each byte of KV, and
// where the figures stand under it.
#pragma once

#include "bench/plot/drawing.hpp"
#include "bench/sweep.hpp"

namespace attnrt::bench {

// The figures of `limits`' number of threads; a colour for each format and backend.
Drawing roofline_plot(const SweepResult& result, const MachineLimits& limits);

}  // namespace attnrt::bench
