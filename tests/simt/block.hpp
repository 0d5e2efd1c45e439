// A block of threads, each a fiber: when which runs, and where they meet.
//
// A warp runs until all its threads wait at the block's barrier, or for bulk copies, or have ended,
// then the next. In a
// collective every thread leaves its operands and waits; the last does the work for all.
#pragma once

#include <stdint.h>

#include <array>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/simt/async_copies.hpp"
#include "tests/simt/collective.hpp"
#include "tests/simt/fibers.hpp"
#include "tests/simt/landings.hpp"
#include "tests/simt/order.hpp"
#include "tests/simt/settings.hpp"
#include "tests/simt/shared_memory.hpp"
#include "tests/simt/statistics.hpp"

namespace attnrt::simt {

inline constexpr int kWarpThreads = 32;
inline constexpr int kMaxThreads = 1024;

// A kernel and its argument, whatever their types.
struct Kernel {
  void (*call)(void (*function)(), const void* params);
  void (*function)();
  const void* params;
};

struct LaunchShape {
  int blocks;
  int threads;
  uint32_t shared_bytes;
};

// Threads of a warp as bits.
struct Warp {
  static constexpr uint32_t kAll = 0xFFFFFFFF;
  static constexpr int kWords = 10;  // operands of the largest collective: mma

  uint32_t ready = 0;       // may be resumed
  uint32_t begun = 0;       // in the kernel
  uint32_t ended = 0;       // behind it
  uint32_t at_barrier = 0;  // of the block
  uint32_t at_landing = 0;  // of bulk copies
  uint32_t arrived = 0;     // at `collective`
  Collective collective = Collective::kSyncWarp;
  alignas(64) uint32_t words[kWords][kWarpThreads];  // operands, then results
};

class Block {
 public:
  Block() : fibers_(&run_thread, this) {}

  // Runs all blocks of a grid. Returns false and keeps error() at the first mistake.
  bool run(const Kernel& kernel, const LaunchShape& shape, const Settings& settings);
  const std::string& error() const { return error_; }
  const Statistics& statistics() const { return statistics_; }

  // For the running thread.
  int thread() const { return fibers_.running(); }
  int lane() const { return thread() % kWarpThreads; }
  int index() const { return index_; }
  int count() const { return shape_.blocks; }
  SharedMemory& shared() { return shared_; }
  void sync_block();
  void copy_async(uint32_t to, const void* from, uint32_t bytes, bool valid);
  void commit_copies();
  void wait_copies(int pending);

  bool has_bulk_copies() const { return settings_.bulk_copies; }
  void init_landing(uint32_t at);
  void expect_landing(uint32_t at, uint32_t bytes);
  void copy_bulk(uint32_t to, const void* from, uint32_t bytes, uint32_t landing);
  void wait_landing(uint32_t at, uint32_t parity);

  // The running thread's operands are in its column of warp().words. Once all threads of the warp
  // came, the last calls work(warp, first thread); then all go on.
  Warp& warp() { return warps_[static_cast<size_t>(thread() / kWarpThreads)]; }
  template <class Work>
  [[gnu::always_inline]] void together(Collective collective, Work&& work) {
    Warp& w = warp();
    const uint32_t me = uint32_t{1} << lane();
    if (w.arrived != 0 && w.collective != collective) throw_divergence(w, collective);
    w.collective = collective;
    w.arrived |= me;
    if (w.arrived != Warp::kAll) return wait(w);
    work(w, thread() - lane());
    w.arrived = 0;
    w.ready = ~me;
    ++statistics_.collectives;
  }

 private:
  static int run_thread(void* block, int thread);
  void call_kernel();
  int first_thread(const Warp& w) const {
    return static_cast<int>(&w - warps_.data()) * kWarpThreads;
  }
  // Who runs when the running thread can't: another of its warp.
  int next(Warp& w) {
    if (failed_ || w.ready == 0) return Fibers::kMain;
    const int lane = pick(w.ready, settings_.threads, random_);
    w.ready &= ~(uint32_t{1} << lane);
    return first_thread(w) + lane;
  }
  [[gnu::always_inline]] void wait(Warp& w) {
    fibers_.switch_to(next(w));
    if (abandoning_) throw_abandoned();
  }
  void land(const AsyncCopy& copy, uint8_t* place);
  BulkLanding& landing_at(uint32_t at);
  void end_phase(BulkLanding& landing);
  bool release_landed();
  void check_landings();

  bool run_block();
  void begin();
  void run_warps();
  bool all_ended() const;
  void pass_barrier();
  void abandon();
  void check_warp(const Warp& w);
  void check_barrier();
  void fail(const std::string& text);
  [[noreturn]] static void throw_abandoned();
  [[noreturn]] void throw_divergence(const Warp& w, Collective collective) const;
  std::string whereabouts(const Warp& w, int lane) const;

  Kernel kernel_{};
  LaunchShape shape_{};
  Settings settings_;
  int index_ = 0;
  std::minstd_rand random_;
  std::vector<Warp> warps_;
  std::vector<int> warp_order_;
  std::vector<int> block_order_;
  std::vector<AsyncCopies> copies_;           // a thread
  std::map<uint32_t, BulkLanding> landings_;  // by address
  std::vector<uint32_t> awaited_;             // a thread's landing
  SharedMemory shared_;
  Statistics statistics_;
  bool failed_ = false;
  bool abandoning_ = false;  // threads in the kernel are to leave it
  std::string error_;
  Fibers fibers_;  // last: its threads use the rest
};

// The block that the calling thread runs: a plain pointer, which costs no check of whether it was
// made already.
extern constinit thread_local Block* current_block;

}  // namespace attnrt::simt
