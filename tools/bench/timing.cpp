#include "bench/timing.hpp"

#include <algorithm>
#include <chrono>

namespace attnrt::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWarmUps = 2;
constexpr int32_t kReplaysAtOnce = 4;  // on their way to a device before the host waits for them
constexpr size_t kMostIterations = size_t{1} << 20;  // bounds the list of times

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

bool enough(const BenchEffort& effort, size_t done, Clock::time_point begin) {
  if (effort.iterations > 0) return done >= static_cast<size_t>(effort.iterations);
  if (done >= kMostIterations) return true;
  return done >= static_cast<size_t>(effort.min_iterations) &&
         seconds_since(begin) >= effort.min_seconds;
}

}  // namespace

Timing summarise(std::vector<double> times_ms) {
  std::sort(times_ms.begin(), times_ms.end());
  const size_t n = times_ms.size();
  const double median = n % 2 == 1 ? times_ms[n / 2] : (times_ms[n / 2 - 1] + times_ms[n / 2]) / 2;
  return {median, times_ms.front(), static_cast<int64_t>(n)};
}

Result<Timing> measure(const BenchEffort& effort, const std::function<Status()>& call) {
  for (int i = 0; i < kWarmUps; ++i) {
    if (Status s = call(); !s.ok()) return s.error();
  }
  std::vector<double> times_ms;
  const Clock::time_point begin = Clock::now();
  while (!enough(effort, times_ms.size(), begin)) {
    const Clock::time_point one = Clock::now();
    Status done = call();
    times_ms.push_back(seconds_since(one) * 1e3);
    if (!done.ok()) return done.error();
  }
  return summarise(std::move(times_ms));
}

Result<Timing> measure(const BenchEffort& effort, Replay& replay, int64_t calls) {
  if (Result<std::vector<double>> warm_up = replay.play(1); !warm_up.ok()) return warm_up.error();
  std::vector<double> times_ms;
  const Clock::time_point begin = Clock::now();
  while (!enough(effort, times_ms.size(), begin)) {
    int64_t next = kReplaysAtOnce;
    if (effort.iterations > 0) {
      next = std::min(next, effort.iterations - static_cast<int64_t>(times_ms.size()));
    }
    const Result<std::vector<double>> played = replay.play(static_cast<int32_t>(next));
    if (!played.ok()) return played.error();
    for (const double ms : *played) times_ms.push_back(ms / static_cast<double>(calls));
  }
  return summarise(std::move(times_ms));
}

}  // namespace attnrt::bench
