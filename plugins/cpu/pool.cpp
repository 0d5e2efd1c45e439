#include "pool.hpp"

#include <pthread.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace attnrt::cpu {
namespace {

constexpr int kSpins = 2000;  // some 20 to 50 microseconds

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

Pool::Pool(int32_t threads) {
  threads_.reserve(static_cast<size_t>(threads - 1));
  try {
    for (int64_t i = 1; i < threads; ++i) {
      threads_.emplace_back([this, i] { work(i); });
      pthread_setname_np(threads_.back().native_handle(), kThreadName);
    }
  } catch (...) {
    stop();
    throw;
  }
}

Pool::~Pool() {
  stop();
}

void Pool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    epoch_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  for (std::thread& t : threads_) t.join();
  threads_.clear();
}

void Pool::run(int64_t workers, Job job, void* arg) {
  if (workers <= 1 || threads_.empty()) {
    for (int64_t i = 0; i < workers; ++i) job(arg, i);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    job_ = job;
    arg_ = arg;
    workers_ = workers;
    unfinished_.store(static_cast<int64_t>(threads_.size()), std::memory_order_relaxed);
    epoch_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  job(arg, 0);
  // Others may be late only because they are still at work, or were not scheduled: then give way.
  for (int spins = 0; unfinished_.load(std::memory_order_acquire) != 0; ++spins) {
    if (spins < kSpins) {
      relax();
    } else {
      std::this_thread::yield();
    }
  }
}

uint64_t Pool::wait_for_job(uint64_t seen) {
  for (int spins = 0; spins < kSpins; ++spins) {
    const uint64_t now = epoch_.load(std::memory_order_acquire);
    if (now != seen) return now;
    relax();
  }
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&] { return epoch_.load(std::memory_order_acquire) != seen; });
  return epoch_.load(std::memory_order_acquire);
}

void Pool::work(int64_t index) {
  for (uint64_t seen = 0;;) {
    seen = wait_for_job(seen);
    if (stopping_.load(std::memory_order_acquire)) return;
    if (index < workers_) job_(arg_, index);
    unfinished_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace attnrt::cpu
