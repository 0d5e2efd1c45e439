#include "tests/simt/block.hpp"

#include <string.h>

#include <algorithm>
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
  awaited_.resize(static_cast<size_t>(shape.threads));
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
    if (failed_ || release_landed()) continue;
    check_barrier();
    if (!failed_ && !all_ended()) pass_barrier();
  }
  if (!failed_) check_landings();
  if (failed_) abandon();
  return !failed_;
}

void Block::begin() {
  ++statistics_.blocks;
  shared_.begin_block(shape_.shared_bytes);
  for (Warp& w : warps_) {
    w.ready = Warp::kAll;
    w.begun = w.ended = w.at_barrier = w.at_landing = w.arrived = 0;
  }
  landings_.clear();
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

void Block::init_landing(uint32_t at) {
  shared_.write(thread(), at, sizeof(uint64_t));
  landings_[at] = {};
}

// Whoever uses it sees that it was made.
BulkLanding& Block::landing_at(uint32_t at) {
  shared_.read(thread(), at, sizeof(uint64_t));
  const auto found = landings_.find(at);
  if (found == landings_.end()) {
    throw Fault(name(thread()) + " uses shared address " + std::to_string(at) +
                " as a barrier of bulk copies, which it was not made");
  }
  return found->second;
}

void Block::expect_landing(uint32_t at, uint32_t bytes) {
  BulkLanding& landing = landing_at(at);
  if (landing.told) {
    throw Fault(name(thread()) +
                " says a second time what to expect, in one phase of the landing at " +
                std::to_string(at));
  }
  landing.told = true;
  landing.expected = bytes;
}

void Block::copy_bulk(uint32_t to, const void* from, uint32_t bytes, uint32_t landing) {
  constexpr uint32_t kUnit = 16;
  if ((reinterpret_cast<uintptr_t>(from) | bytes) % kUnit != 0) {
    throw Fault(name(thread()) + " copies " + std::to_string(bytes) +
                " bytes in bulk: they and their global address must be multiples of 16");
  }
  const BulkCopy copy{thread(), static_cast<const uint8_t*>(from), to, bytes};
  BulkLanding& of = landing_at(landing);
  of.issued += bytes;
  of.copies.push_back(copy);
  for (uint32_t i = 0; i < bytes; i += kUnit) {
    uint8_t* place = shared_.issue_copy(thread(), to + i, kUnit);
    if (settings_.landing == Landing::kEarly) {
      memcpy(place, copy.from + i, kUnit);
    } else {
      memset(place, SharedMemory::kPoison, kUnit);
    }
  }
  statistics_.copied_bytes += bytes;
}

// A phase of the other parity has not begun yet, or is over.
void Block::wait_landing(uint32_t at, uint32_t parity) {
  const BulkLanding& landing = landing_at(at);
  if (landing.phase % 2 != parity) return;
  Warp& w = warp();
  w.at_landing |= uint32_t{1} << lane();
  awaited_[static_cast<size_t>(thread())] = at;
  wait(w);
}

void Block::end_phase(BulkLanding& landing) {
  constexpr uint32_t kUnit = 16;
  for (const BulkCopy& copy : landing.copies) {
    for (uint32_t i = 0; i < copy.bytes; i += kUnit) {
      uint8_t* place = shared_.land_copy(copy.thread, copy.to + i, kUnit);
      if (settings_.landing == Landing::kLate) memcpy(place, copy.from + i, kUnit);
    }
  }
  landing.next_phase();
}

// Lets go on who waits for copies that have all been asked for. Returns whether anybody does.
bool Block::release_landed() {
  std::vector<uint32_t> ended;
  for (auto& [at, landing] : landings_) {
    const auto waits_here = [&, address = at](const Warp& w) {
      for (uint32_t waiting = w.at_landing; waiting != 0; waiting &= waiting - 1) {
        const int thread = first_thread(w) + std::countr_zero(waiting);
        if (awaited_[static_cast<size_t>(thread)] == address) return true;
      }
      return false;
    };
    if (!landing.may_end() || std::none_of(warps_.begin(), warps_.end(), waits_here)) continue;
    end_phase(landing);
    ended.push_back(at);
  }
  for (Warp& w : warps_) {
    for (uint32_t waiting = w.at_landing; waiting != 0; waiting &= waiting - 1) {
      const int lane = std::countr_zero(waiting);
      const uint32_t at = awaited_[static_cast<size_t>(first_thread(w) + lane)];
      if (std::find(ended.begin(), ended.end(), at) == ended.end()) continue;
      w.at_landing &= ~(uint32_t{1} << lane);
      w.ready |= uint32_t{1} << lane;
    }
  }
  return !ended.empty();
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

// No thread of the warp can go on: none may be left in a collective, unless others wait for copies.
void Block::check_warp(const Warp& w) {
  if (w.arrived == 0 || w.at_landing != 0) return;
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
    if (w.at_landing != 0) return fail(whereabouts(w, std::countr_zero(w.at_landing)));
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

// Nobody waits any more.
void Block::check_landings() {
  for (const auto& [at, landing] : landings_) {
    if (!landing.told && landing.copies.empty()) continue;
    fail("ends with bulk copies in flight, at the landing at " + std::to_string(at));
  }
}

std::string Block::whereabouts(const Warp& w, int lane) const {
  const std::string thread = name(first_thread(w) + lane);
  const uint32_t bit = uint32_t{1} << lane;
  if ((w.ended & bit) != 0) return thread + " has ended";
  if ((w.at_barrier & bit) != 0) return thread + " waits at the block's barrier";
  if ((w.at_landing & bit) != 0) {
    const uint32_t at = awaited_[static_cast<size_t>(first_thread(w) + lane)];
    const BulkLanding& landing = landings_.at(at);
    return thread + " waits in vain for the landing at " + std::to_string(at) + ": " +
           std::to_string(landing.issued) + " bytes are under way, " +
           (landing.told ? std::to_string(landing.expected) : "nobody said how many") +
           " are expected";
  }
  return thread + " waits at " + simt::name(w.collective);
}

}  // namespace attnrt::simt
