// The threads that this instance works with: the host's, or a pool of its own.
//
// Used by one thread at a time, like the instance that it belongs to.
#pragma once

#include <attnrt/plugin/host.hpp>
#include <cstdint>
#include <memory>

#include "pool.hpp"

namespace attnrt::cpu {

class Team {
 public:
  // wanted: threads to use, 0: what the host says, else one per CPU that this process may use.
  Team(const plugin::Host& host, int32_t wanted);

  [[nodiscard]] int32_t threads() const { return threads_; }
  [[nodiscard]] bool of_host() const { return pool_ == nullptr; }

  // body(worker) for worker in [0, workers), each at most once at a time; workers <= threads().
  template <class Body>
  void run(int64_t workers, Body& body) {
    static_assert(std::is_nothrow_invocable_v<Body&, int64_t>, "mark the body noexcept");
    if (workers <= 1) {
      if (workers == 1) body(0);
    } else if (pool_) {
      pool_->run(
          workers, [](void* arg, int64_t i) { (*static_cast<Body*>(arg))(i); }, &body);
    } else {
      host_.parallel_for(workers, body);
    }
  }

 private:
  plugin::Host host_;
  int32_t threads_;
  std::unique_ptr<Pool> pool_;
};

}  // namespace attnrt::cpu
