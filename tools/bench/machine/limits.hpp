// What this machine can do at the most, measured: how fast it reads and how fast it computes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/machine/caches.hpp"
#include "bench/machine/flop_loop.hpp"
#include "bench/machine/read_loop.hpp"

namespace attnrt::bench {

// Reading a working set again and again, all threads at once, each its own part. Of a device that
// is not the host: copying one, where bytes are counted as they are read and as they are written.
struct ReadLimit {
  std::string level;  // L1, L2, L3, memory; of a device: copy
  int64_t bytes = 0;  // the working set, of all threads together
  double gb_s = 0;    // of the best pattern, 1e9 bytes a second
  ReadPattern pattern;
  double huge_pages = -1;  // part of the memory that stood on huge pages; -1: not known
};

struct FlopLimit {
  std::string name;
  Operands operands = Operands::kF32;
  double gflop_s = 0;
};

struct MachineLimits {
  int32_t threads = 1;
  std::vector<ReadLimit> read;   // the last one is memory's
  std::vector<FlopLimit> flops;  // at least one that takes f32; of a device: none
  double memory_gb_s() const { return read.back().gb_s; }
};

struct LimitOptions {
  int32_t threads = 1;
  int64_t memory_bytes = 0;  // working set that no cache holds
  double seconds = 0.005;    // of one measurement; each is the best of several
  std::vector<std::string> cpu_features;
  CacheSizes caches;
};
// Throws std::bad_alloc, std::system_error.
MachineLimits measure_limits(const LimitOptions& options);
// Reads memory once more, as at the end of a long run: noise has passed or come meanwhile. The
// better figure stays.
void measure_memory_again(const LimitOptions& options, MachineLimits& limits);

// The working sets that are measured: a level and the bytes of all threads together. Pure.
struct WorkingSet {
  std::string level;
  int64_t bytes = 0;
};
std::vector<WorkingSet> working_sets(const LimitOptions& options);

}  // namespace attnrt::bench
