// Threads of the plugin's own, for hosts that bring none.
//
// run() hands one job to all threads and takes part itself. Between jobs the threads spin for some
// microseconds (layers follow each other at once), then sleep. One caller at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace attnrt::cpu {

// What debuggers and `top -H` show; 15 characters at most.
constexpr const char* kThreadName = "attnrt-cpu";

class Pool {
 public:
  using Job = void (*)(void* arg, int64_t worker);

  // threads, the caller included: at least 1. Throws std::system_error if the system has no more.
  explicit Pool(int32_t threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // job(arg, i) for i in [0, workers), workers <= threads(), each i on a thread of its own.
  void run(int64_t workers, Job job, void* arg);
  [[nodiscard]] int32_t threads() const { return static_cast<int32_t>(threads_.size()) + 1; }

 private:
  void work(int64_t index);
  uint64_t wait_for_job(uint64_t seen);
  void stop();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> epoch_{0};  // grows with each job; written under the mutex
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> unfinished_{0};
  int64_t workers_ = 0;
  Job job_ = nullptr;
  void* arg_ = nullptr;
  std::vector<std::thread> threads_;
};

}  // namespace attnrt::cpu
