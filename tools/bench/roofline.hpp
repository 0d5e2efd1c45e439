// Which of the machine's limits binds a piece of work, and how near a time comes to it.
#pragma once

#include <string>

#include "attnrt/format.hpp"
#include "bench/machine/limits.hpp"
#include "bench/work.hpp"

namespace attnrt::bench {

struct Bound {
  std::string name;  // "memory", or the arithmetic unit: "bf16 dot (AVX-512)"; empty: not measured
  double ms = 0;     // no time can be shorter
};

// The peak that queries of this dtype may use: operands of bf16 units are rounded to bf16, so only
// bf16 queries may; everything may be widened to f32. Precondition: limits.flops is not empty.
const FlopLimit& peak_for(DType q, const MachineLimits& limits);

// The larger of: all KV at the speed of memory, all operations at the peak.
Bound binding_limit(const Work& work, DType q, const MachineLimits& limits);

// On a device, whose arithmetic is not measured: a decode is bound by the speed of memory, of a
// prefill nothing is known.
Bound device_limit(const Work& work, Op op, const MachineLimits& limits);

}  // namespace attnrt::bench
