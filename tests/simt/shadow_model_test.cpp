// The checks of shared memory, which keep little, against a model that keeps every access: over
// random accesses and barriers both must find the same ones wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/simt/fault.hpp"
#include "tests/simt/shared_memory.hpp"

namespace attnrt::simt {
namespace {

constexpr uint32_t kBytes = 32;
constexpr int kThreads[] = {0, 1, 2, 33, 34};

class Model {
 public:
  void begin_block() { bytes_.assign(kBytes, {}); }
  void order_block() { ++block_time_; }
  void order_warp(int warp) { ++warp_time_[warp]; }

  bool may_read(int thread, uint32_t offset, uint32_t bytes) const {
    return all_of(offset, bytes, [&](const Byte& b) {
      return b.written && !b.in_flight &&
             std::none_of(b.accesses.begin(), b.accesses.end(),
                          [&](const Access& a) { return a.write && !comes_before(a, thread); });
    });
  }
  bool may_write(int thread, uint32_t offset, uint32_t bytes) const {
    return all_of(offset, bytes, [&](const Byte& b) {
      return !b.in_flight && std::all_of(b.accesses.begin(), b.accesses.end(),
                                         [&](const Access& a) { return comes_before(a, thread); });
    });
  }
  void add(int thread, uint32_t offset, uint32_t bytes, bool write) {
    for (uint32_t i = offset; i < offset + bytes; ++i) {
      bytes_[i].accesses.push_back({thread, block_time_, warp_time_[thread / 32], write});
      bytes_[i].written |= write;
    }
  }
  void set_in_flight(uint32_t offset, uint32_t bytes, bool in_flight) {
    for (uint32_t i = offset; i < offset + bytes; ++i) bytes_[i].in_flight = in_flight;
  }

 private:
  struct Access {
    int thread;
    int block_time;
    int warp_time;
    bool write;
  };
  struct Byte {
    bool written = false;
    bool in_flight = false;
    std::vector<Access> accesses;
  };

  bool comes_before(const Access& a, int thread) const {
    if (a.thread == thread || a.block_time < block_time_) return true;
    return a.thread / 32 == thread / 32 && a.warp_time < warp_time_[thread / 32];
  }
  template <class Check>
  bool all_of(uint32_t offset, uint32_t bytes, Check check) const {
    const auto first = bytes_.begin() + offset;
    return std::all_of(first, first + bytes, check);
  }

  std::vector<Byte> bytes_;
  int block_time_ = 0;
  int warp_time_[2] = {0, 0};
};

struct Copy {
  int thread;
  uint32_t offset;
  uint32_t bytes;
};

// Both, side by side.
class Pair {
 public:
  explicit Pair(uint32_t seed) : random_(seed) { begin_block(); }

  // Returns whether both judge one random step alike.
  bool step() {
    switch (below(12)) {
      case 0:
        shared_.order_block();
        model_.order_block();
        return true;
      case 1:
        order_warp(static_cast<int>(below(2)));
        return true;
      case 2:
        return issue();
      case 3:
        land();
        return true;
      default:
        return access();
    }
  }
  int right() const { return right_; }
  int wrong() const { return wrong_; }

 private:
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(random_() >> 8) % n; }

  void begin_block() {
    shared_.begin_block(kBytes);
    model_.begin_block();
    copies_.clear();
    // Some blocks begin with all bytes written.
    if (below(3) == 0) return;
    for (uint32_t at = 0; at < kBytes; at += 16) {
      shared_.write(0, SharedMemory::kBase + at, 16);
      model_.add(0, at, 16, true);
    }
    shared_.order_block();
    model_.order_block();
  }
  void order_warp(int warp) {
    shared_.order_warp(warp);
    model_.order_warp(warp);
  }
  Copy somewhere() {
    const uint32_t bytes = 1U << below(5);
    return {kThreads[below(5)], below(kBytes / bytes) * bytes, bytes};
  }

  template <class Act>
  bool judge(bool expected, Act act) {
    bool done = true;
    try {
      act();
    } catch (const Fault&) {
      done = false;
    }
    ++(done ? right_ : wrong_);
    if (!done) begin_block();
    return done == expected;
  }

  bool access() {
    const Copy c = somewhere();
    const bool write = below(3) == 0;
    const bool expected = write ? model_.may_write(c.thread, c.offset, c.bytes)
                                : model_.may_read(c.thread, c.offset, c.bytes);
    if (expected) model_.add(c.thread, c.offset, c.bytes, write);
    return judge(expected, [&] {
      const uint32_t at = SharedMemory::kBase + c.offset;
      if (write) {
        shared_.write(c.thread, at, c.bytes);
      } else {
        shared_.read(c.thread, at, c.bytes);
      }
    });
  }
  bool issue() {
    const Copy c = somewhere();
    const bool expected = model_.may_write(c.thread, c.offset, c.bytes);
    if (expected) {
      model_.add(c.thread, c.offset, c.bytes, true);
      model_.set_in_flight(c.offset, c.bytes, true);
      copies_.push_back(c);
    }
    return judge(expected,
                 [&] { shared_.issue_copy(c.thread, SharedMemory::kBase + c.offset, c.bytes); });
  }
  void land() {
    if (copies_.empty()) return;
    const Copy c = copies_.back();
    copies_.pop_back();
    shared_.land_copy(c.thread, SharedMemory::kBase + c.offset, c.bytes);
    model_.set_in_flight(c.offset, c.bytes, false);
    model_.add(c.thread, c.offset, c.bytes, true);
  }

  std::minstd_rand random_;
  SharedMemory shared_;
  Model model_;
  std::vector<Copy> copies_;
  int right_ = 0;
  int wrong_ = 0;
};

TEST(ShadowModel, FindsTheSameAccessesWrong) {
  int right = 0;
  int wrong = 0;
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    Pair pair(seed);
    for (int i = 0; i < 20000; ++i) ASSERT_TRUE(pair.step()) << "seed " << seed << ", step " << i;
    right += pair.right();
    wrong += pair.wrong();
  }
  // Enough of both.
  EXPECT_GT(right, 50000);
  EXPECT_GT(wrong, 20000);
}

}  // namespace
}  // namespace attnrt::simt
