// Work over the host's threads with memory of its own for each, allocated once.
#pragma once

#include <algorithm>
#include <attnrt/plugin/host.hpp>
#include <thread>

namespace attnrt::reference {

// How many tasks run at once: what the host allows, else as many as the machine has.
inline int32_t worker_count(const plugin::Host& host) {
  if (!host.has_threads()) return 1;
  const auto own = static_cast<int32_t>(std::thread::hardware_concurrency());
  return std::clamp(host.threads() > 0 ? host.threads() : own, 1, 64);
}

// body(worker, i) for every i in [0, n); worker < workers names memory that no other body uses at
// the same time.
template <class Body>
void for_each_item(const plugin::Host& host, int32_t workers, int64_t n, Body&& body) {
  const int64_t tasks = std::min<int64_t>(workers, n);
  auto task = [&](int64_t worker) noexcept {
    for (int64_t i = worker; i < n; i += tasks) body(static_cast<int32_t>(worker), i);
  };
  if (tasks == 1) {
    task(0);
  } else if (tasks > 1) {
    host.parallel_for(tasks, task);
  }
}

}  // namespace attnrt::reference
