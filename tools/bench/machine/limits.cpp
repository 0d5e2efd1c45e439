#include "bench/machine/limits.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "bench/machine/crew.hpp"
#include "bench/machine/huge_pages.hpp"

namespace attnrt::bench {
namespace {

constexpr int kRounds = 2;   // through all patterns
constexpr int kRepeats = 9;  // of the best one: short ones fit between interruptions
constexpr int64_t kMib = int64_t{1} << 20;
constexpr int64_t kUnit = 8 * static_cast<int64_t>(kReadStep);  // what every pattern divides

int64_t whole_units(int64_t bytes) {
  return std::max(bytes / kUnit, int64_t{1}) * kUnit;
}

// The amount of work that takes so long, by doubling: run(n) gives seconds. On a busy machine one
// run may wait for its threads longer than it works, so each amount has three chances to be too
// little.
template <class Run>
int64_t calibrate(double seconds, Run&& run) {
  const auto too_little = [&](int64_t n) {
    for (int i = 0; i < 3; ++i) {
      if (run(n) < seconds) return true;
    }
    return false;
  };
  int64_t n = 1;
  while (n < (int64_t{1} << 40) && too_little(n)) n *= 2;
  return n;
}

class ReadMeter {
 public:
  ReadMeter(const LimitOptions& options, int64_t most_bytes)
      : options_(options),
        loop_(widest_read_loop(options.cpu_features)),
        buffer_(static_cast<size_t>(most_bytes)) {
    const size_t part = buffer_.bytes() / static_cast<size_t>(options.threads);
    run_together(options.threads, [&](int32_t i) {  // each thread's part near to it
      std::memset(buffer_.data() + static_cast<size_t>(i) * part, 0x5a, part);
    });
  }

  // All patterns; then the best one again and again.
  ReadLimit measure(const WorkingSet& set, const std::vector<ReadPattern>& patterns) {
    ReadLimit limit{set.level, set.bytes, 0, {}, huge_page_share(buffer_.data())};
    const int64_t part = whole_units(set.bytes / options_.threads);
    int64_t passes = 1;
    const auto once = [&](ReadPattern pattern) {
      const double bytes = static_cast<double>(part * passes * options_.threads);
      const double gb_s = bytes / seconds(part, passes, pattern) / 1e9;
      if (gb_s <= limit.gb_s) return;
      limit.gb_s = gb_s;
      limit.pattern = pattern;
    };
    passes =
        calibrate(options_.seconds, [&](int64_t n) { return seconds(part, n, patterns.front()); });
    for (int i = 0; i < kRounds; ++i) {
      for (const ReadPattern pattern : patterns) once(pattern);
    }
    for (int i = 0; i < kRepeats; ++i) once(limit.pattern);
    return limit;
  }

 private:
  double seconds(int64_t part, int64_t passes, ReadPattern pattern) {
    return run_together(options_.threads, [&](int32_t i) {
      const uint8_t* data = buffer_.data() + i * part;
      uint64_t all = 0;
      for (int64_t p = 0; p < passes; ++p) {
        all += loop_(data, static_cast<size_t>(part), pattern);
      }
      sink_.fetch_add(all, std::memory_order_relaxed);
    });
  }

  const LimitOptions& options_;
  ReadLoop loop_;
  HugeBuffer buffer_;
  std::atomic<uint64_t> sink_{0};
};

std::vector<ReadPattern> cache_patterns() {
  return {{1, 0}, {4, 0}};
}

std::vector<ReadPattern> memory_patterns() {
  std::vector<ReadPattern> patterns;
  for (const int32_t streams : {1, 2, 4, 8}) {
    for (const int32_t prefetch : {0, 1024, 4096}) patterns.push_back({streams, prefetch});
  }
  return patterns;
}

FlopLimit measure_unit(const FlopUnit& unit, const LimitOptions& options) {
  FlopLimit limit{unit.name, unit.operands, 0};
  std::atomic<bool> refused{false};
  const auto seconds = [&](int64_t rounds) {
    return run_together(options.threads, [&](int32_t) {
      if (!unit.run(rounds)) refused.store(true, std::memory_order_relaxed);
    });
  };
  const int64_t rounds =
      calibrate(options.seconds, [&](int64_t n) { return refused ? options.seconds : seconds(n); });
  for (int i = 0; i < kRepeats && !refused; ++i) {
    const double flop = unit.flop_per_round * static_cast<double>(rounds) * options.threads;
    limit.gflop_s = std::max(limit.gflop_s, flop / seconds(rounds) / 1e9);
  }
  if (refused) limit.gflop_s = 0;
  return limit;
}

}  // namespace

std::vector<WorkingSet> working_sets(const LimitOptions& options) {
  const CacheSizes& caches = options.caches;
  std::vector<WorkingSet> sets;
  if (caches.l1 > 0) sets.push_back({"L1", caches.l1 / 2 * options.threads});
  if (caches.l2 > 0) sets.push_back({"L2", caches.l2 / 2 * options.threads});
  // Well beyond all L2 together, but not much of a socket's L3: others have a share in it.
  const int64_t beyond_l2 = 4 * caches.l2 * options.threads;
  const int64_t l3 = std::min(caches.l3 / 2, std::max(32 * kMib, beyond_l2));
  if (l3 > 2 * caches.l2 * options.threads) sets.push_back({"L3", l3});
  sets.push_back({"memory", options.memory_bytes});
  const int64_t least = kUnit * options.threads;
  for (WorkingSet& set : sets) set.bytes = std::max(set.bytes / least, int64_t{1}) * least;
  return sets;
}

MachineLimits measure_limits(const LimitOptions& options) {
  const std::vector<WorkingSet> sets = working_sets(options);
  int64_t most = 0;
  for (const WorkingSet& set : sets) most = std::max(most, set.bytes);
  MachineLimits limits;
  limits.threads = options.threads;
  ReadMeter meter(options, most);
  for (const WorkingSet& set : sets) {
    const bool memory = set.level == "memory";
    limits.read.push_back(meter.measure(set, memory ? memory_patterns() : cache_patterns()));
  }
  for (const FlopUnit& unit : flop_units(options.cpu_features)) {
    FlopLimit limit = measure_unit(unit, options);
    if (limit.gflop_s > 0) limits.flops.push_back(std::move(limit));
  }
  return limits;
}

void measure_memory_again(const LimitOptions& options, MachineLimits& limits) {
  const WorkingSet set = working_sets(options).back();
  ReadMeter meter(options, set.bytes);
  const ReadLimit again = meter.measure(set, {limits.read.back().pattern});
  if (again.gb_s > limits.read.back().gb_s) limits.read.back() = again;
}

}  // namespace attnrt::bench
