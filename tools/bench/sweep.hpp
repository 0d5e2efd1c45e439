// A whole benchmark: threads × shapes × formats × backends, with the machine's limits of the same
// run, or those of the device. Everything is planned before anything is measured.
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "attnrt/bench.hpp"
#include "attnrt/load.hpp"
#include "bench/case.hpp"
#include "bench/machine/limits.hpp"
#include "bench/roofline.hpp"
#include "bench/timing.hpp"
#include "bench/work.hpp"

namespace attnrt::bench {

struct Figure {
  BenchShape shape;
  std::string format;  // as written; plan.kv is what it stood for
  CasePlan plan;
  int32_t threads = 1;  // of a device: the one that starts its work
  Timing timing;        // of attend alone
  Work work;
  Bound limit;
  double walked_bytes = 0;
  double huge_pages = -1;   // part of the pool; -1: not known
  std::string description;  // the plugin's words

  double kv_gb_s() const { return work.kv_bytes / (timing.median_ms * 1e6); }
  double gflop_s() const { return work.flop / (timing.median_ms * 1e6); }
  // NaN: the limit was not measured.
  double share_of_limit() const {
    return limit.name.empty() ? std::nan("") : limit.ms / timing.median_ms;
  }
};

struct SweepResult {
  std::string machine;                // the CPU's name
  std::string device;                 // as the configuration names it; empty: the CPU
  std::vector<MachineLimits> limits;  // a number of threads each
  std::vector<Figure> figures;
  // Backends that some shape and format can't have, where another one can.
  std::vector<Error> unserved;
};

// Called now and then: what is done, and the part that is done of 0 … 1.
using Progress = std::function<void(std::string_view what, double part)>;

// Errors: kNoBackend if a shape and format has no backend at all; those of Case. kInvalid: a device
// of another machine, threads for a device, unknown backends.
Result<SweepResult> sweep(const BenchConfig& config, const PluginRegistry& registry,
                          const HostFacts& host, const Progress& progress = {});

}  // namespace attnrt::bench
