// Limits and figures as a sweep would give them, with round numbers.
#pragma once

#include <string>

#include "bench/sweep.hpp"

namespace attnrt::test {

inline bench::MachineLimits limits(int32_t threads = 2) {
  bench::MachineLimits limits;
  limits.threads = threads;
  limits.read = {{"L1", 48 << 10, 400, {}, 1}, {"memory", 256 << 20, 50, {1, 1024}, 1}};
  limits.flops = {{"f32 FMA", bench::Operands::kF32, 200},
                  {"bf16 dot", bench::Operands::kBf16, 400}};
  return limits;
}

inline bench::Figure figure(const std::string& shape, const std::string& plugin, double ms) {
  bench::Figure f;
  f.shape.name = shape;
  f.shape.kv_len = 1024;
  f.shape.q_heads = 32;
  f.shape.kv_heads = 8;
  f.shape.head_dim = {128, 128};
  f.format = "bf16";
  f.plan.plugin = plugin;
  f.plan.version = "1";
  f.plan.kernel = "k";
  f.plan.request.q_heads = 32;
  f.plan.request.kv_heads = 8;
  f.threads = 2;
  f.timing = {ms, ms, 9};
  f.work = bench::work_of(f.shape, Format::kBf16, CacheKind::kSeparate);
  f.limit = bench::binding_limit(f.work, DType::kBf16, limits());
  return f;
}

}  // namespace attnrt::test
