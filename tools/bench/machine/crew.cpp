#include "bench/machine/crew.hpp"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <latch>
#include <thread>
#include <vector>

namespace attnrt::bench {

double run_together(int32_t threads, const std::function<void(int32_t)>& job) {
  using Clock = std::chrono::steady_clock;
  struct Span {
    Clock::time_point begin, end;
  };
  std::vector<Span> spans(static_cast<size_t>(threads));
  std::latch ready(threads);
  auto body = [&](int32_t i) {
    Span& span = spans[static_cast<size_t>(i)];
    ready.arrive_and_wait();
    span.begin = Clock::now();
    job(i);
    span.end = Clock::now();
  };
  std::vector<std::thread> others;
  others.reserve(spans.size());
  try {
    for (int32_t i = 1; i < threads; ++i) others.emplace_back(body, i);
  } catch (...) {
    // Those that were started wait for the others: let them pass.
    ready.count_down(threads - static_cast<int32_t>(others.size()));
    for (std::thread& t : others) t.join();
    throw;
  }
  body(0);
  for (std::thread& t : others) t.join();
  Span all = spans.front();
  for (const Span& span : spans) {
    all.begin = std::min(all.begin, span.begin);
    all.end = std::max(all.end, span.end);
  }
  return std::chrono::duration<double>(all.end - all.begin).count();
}

int32_t usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int32_t>(std::thread::hardware_concurrency()));
}

}  // namespace attnrt::bench
