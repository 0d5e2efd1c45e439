#include "bench/roofline.hpp"

namespace attnrt::bench {

const FlopLimit& peak_for(DType q, const MachineLimits& limits) {
  const FlopLimit* best = &limits.flops.front();
  for (const FlopLimit& unit : limits.flops) {
    const bool allowed = unit.operands == Operands::kF32 || q == DType::kBf16;
    if (allowed && unit.gflop_s > best->gflop_s) best = &unit;
  }
  return *best;
}

Bound binding_limit(const Work& work, DType q, const MachineLimits& limits) {
  const FlopLimit& peak = peak_for(q, limits);
  const double memory_ms = work.kv_bytes / (limits.memory_gb_s() * 1e6);
  const double flop_ms = work.flop / (peak.gflop_s * 1e6);
  if (memory_ms >= flop_ms) return {"memory", memory_ms};
  return {peak.name, flop_ms};
}

Bound device_limit(const Work& work, Op op, const MachineLimits& limits) {
  if (op != Op::kDecode) return {};
  return {"memory", work.kv_bytes / (limits.memory_gb_s() * 1e6)};
}

}  // namespace attnrt::bench
