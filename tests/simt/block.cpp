#include "tests/simt/block.hpp"

#include <string.h>

#include <bit>
#include <exception>

#include "tests/simt/fault.hpp"

namespace attnrt::simt {
namespace {

// Leads a thread out of the kernel of a failed block.
struct Abandoned {};

std::string name(int thread) {
  return "thread " + std::to_string(thread);
}

}  // namespace

bool Block::run(const Kernel& kernel, const LaunchShape& shape, const Settings& settings) {
  kernel_ = kernel;
  shape_ = shape;
  settings_ = settings;
  statistics_ = {};
  failed_ = false;
  random_.seed(static_cast<uint32_t>(settings.seed));
  warps_.resize(static_cast<size_t>(shape.threads / kWarpThreads));
  if (copies_.size() < static_cast<size_t>(shape.threads)) {
    copies_.resize(static_cast<size_t>(shape.threads));
  }
  fibers_.grow(shape.threads);
  arrange(block_order_, shape.blocks, settings.blocks, random_);
  for (const int block : block_order_) {
    index_ = block;
    if (!run_block()) return false;
  }
  return true;
}

bool Block::run_block() {
  begin();
  while (!failed_ && !all_ended()) {
    run_warps();
    if (!failed_) check_barrier();
    if (!failed_ && !all_ended()) pass_barrier();
  }
  if (failed_) abandon();
  return !failed_;
}

void Block::begin() {
  ++statistics_.blocks;
  shared_.begin_block(shape_.shared_bytes);
  for (Warp& w : warps_) {
    w.ready = Warp::kAll;
    w.begun = w.ended = w.at_barrier = w.arrived = 0;
  }
  for (int i = 0; i < shape_.threads; ++i) copies_[static_cast<size_t>(i)].begin_block();
}

// Each as far as it comes: to the block's barrier or its end.
void Block::run_warps() {
  arrange(warp_order_, static_cast<int>(warps_.size()), settings_.threads, random_);
  for (const int i : warp_order_) {
    Warp& w = warps_[static_cast<size_t>(i)];
    if (w.ready != 0) fibers_.switch_to(next(w));
    if (!failed_) check_warp(w);
    if (failed_) return;
  }
}

bool Block::all_ended() const {
  for (const Warp& w : warps_) {
    if (w.ended != Warp::kAll) return false;
  }
  return true;
}

void Block::pass_barrier() {
  ++statistics_.barriers;
  shared_.order_block();
  for (Warp& w : warps_) {
    w.ready = w.at_barrier;
    w.at_barrier = 0;
  }
}

void Block::abandon() {
  abandoning_ = true;
  for (const Warp& w : warps_) {
    for (uint32_t inside = w.begun & ~w.ended; inside != 0; inside &= inside - 1) {
      fibers_.switch_to(first_thread(w) + std::countr_zero(inside));
    }
  }
  abandoning_ = false;
}

// ---- In a thread's fiber

int Block::run_thread(void* block, int thread) {
  Block& self = *static_cast<Block*>(block);
  Warp& w = self.warp();
  const uint32_t me = uint32_t{1} << thread % kWarpThreads;
  w.begun |= me;
  self.call_kernel();
  w.ended |= me;
  return self.next(w);
}

void Block::call_kernel() {
  try {
    kernel_.call(kernel_.function, kernel_.params);
    if (copies_[static_cast<size_t>(thread())].in_flight()) {
      throw Fault(name(thread()) + " ends with copies in flight");
    }
  } catch (const Abandoned&) {
  } catch (const Fault& fault) {
    fail(fault.what());
  } catch (const std::exception& e) {
    fail(name(thread()) + " throws an exception: " + e.what());
  } catch (...) {
    fail(name(thread()) + " throws an exception");
  }
}

void Block::sync_block() {
  Warp& w = warp();
  w.at_barrier |= uint32_t{1} << lane();
  wait(w);
}

void Block::copy_async(uint32_t to, const void* from, uint32_t bytes, bool valid) {
  if (reinterpret_cast<uintptr_t>(from) % bytes != 0) {
    throw Fault(name(thread()) + " copies " + std::to_string(bytes) +
                " bytes from a global address that is not a multiple of them");
  }
  const AsyncCopy copy{from, to, bytes, valid, 0};
  uint8_t* place = shared_.issue_copy(thread(), to, bytes);
  if (settings_.landing == Landing::kEarly) {
    land(copy, place);
  } else {
    memset(place, SharedMemory::kPoison, bytes);
  }
  copies_[static_cast<size_t>(thread())].issue(from, to, bytes, valid);
}

void Block::commit_copies() {
  copies_[static_cast<size_t>(thread())].commit();
}

void Block::wait_copies(int pending) {
  copies_[static_cast<size_t>(thread())].wait(pending, [&](const AsyncCopy& copy) {
    uint8_t* place = shared_.land_copy(thread(), copy.to, copy.bytes);
    if (settings_.landing == Landing::kLate) land(copy, place);
  });
}

void Block::land(const AsyncCopy& copy, uint8_t* place) {
  if (!copy.valid) {
    memset(place, 0, copy.bytes);
    return;
  }
  memcpy(place, copy.from, copy.bytes);
  statistics_.copied_bytes += copy.bytes;
}

// ---- Mistakes

void Block::fail(const std::string& text) {
  if (failed_) return;
  failed_ = true;
  error_ = "block " + std::to_string(index_) + ": " + text;
}

void Block::throw_abandoned() {
  throw Abandoned{};
}

void Block::throw_divergence(const Warp& w, Collective collective) const {
  const int other = std::countr_zero(w.arrived);
  throw Fault(name(thread()) + " comes to " + simt::name(collective) + ", while " +
              whereabouts(w, other));
}

// No thread of the warp can go on: none may be left in a collective.
void Block::check_warp(const Warp& w) {
  if (w.arrived == 0) return;
  const int waiting = std::countr_zero(w.arrived);
  const int missing = std::countr_one(w.arrived);
  fail(whereabouts(w, waiting) + ", while " + whereabouts(w, missing));
}

// No thread of the block can go on: all are at the barrier, or all have ended.
void Block::check_barrier() {
  int waiting = -1;
  int missing = -1;
  for (const Warp& w : warps_) {
    const int first = first_thread(w);
    if (waiting < 0 && w.at_barrier != 0) waiting = first + std::countr_zero(w.at_barrier);
    if (missing < 0 && w.ended != 0) missing = first + std::countr_zero(w.ended);
  }
  if (waiting < 0 || missing < 0) return;
  const auto warp_of = [&](int thread) -> const Warp& {
    return warps_[static_cast<size_t>(thread / kWarpThreads)];
  };
  fail(whereabouts(warp_of(waiting), waiting % kWarpThreads) + ", while " +
       whereabouts(warp_of(missing), missing % kWarpThreads));
}

std::string Block::whereabouts(const Warp& w, int lane) const {
  const std::string thread = name(first_thread(w) + lane);
  const uint32_t bit = uint32_t{1} << lane;
  if ((w.ended & bit) != 0) return thread + " has ended";
  if ((w.at_barrier & bit) != 0) return thread + " waits at the block's barrier";
  return thread + " waits at " + simt::name(w.collective);
}

}  // namespace attnrt::simt
