// Fibers that resume each other by number, made once and used again and again: making one costs a
// system call, a switch some ten nanoseconds.
//
// They belong to the thread that made them. A guard page lies below each stack.
#pragma once

#include <boost/context/fiber.hpp>
#include <utility>
#include <vector>

#include "tests/simt/annotations.hpp"

namespace attnrt::simt {

class Fibers {
 public:
  // The thread itself, among the fibers.
  static constexpr int kMain = -1;

  // What a fiber does each time it is resumed after its last body has returned. Returns the fiber
  // to be resumed then; nothing may be thrown.
  using Body = int (*)(void* owner, int index);

  Fibers(Body body, void* owner) : body_(body), owner_(owner), slots_(1) {}
  // In the thread that made them, with no body begun and not ended.
  ~Fibers();
  Fibers(const Fibers&) = delete;
  Fibers& operator=(const Fibers&) = delete;

  // At least `count` fibers, from 0 on. Called by kMain.
  void grow(int count);
  int running() const { return running_; }
  // Leaves the running fiber for another, until somebody resumes it. Inline, with all between it
  // and a kernel: each return behind a switch is mispredicted, and costs as much as the switch.
  [[gnu::always_inline]] void switch_to(int to) {
    slot(running_).annotation.leave_for(slot(to).annotation);
    left_ = std::exchange(running_, to);
    arrive(std::move(slot(to).fiber).resume());
  }

 private:
  struct Slot {
    boost::context::fiber fiber;
    Annotation annotation;
  };

  Slot& slot(int index) { return slots_[static_cast<size_t>(index + 1)]; }
  void make(int index);
  boost::context::fiber live(int index, boost::context::fiber&& from);
  // In the fiber that runs now.
  [[gnu::always_inline]] void arrive(boost::context::fiber&& from) {
    slot(running_).annotation.arrive_from(slot(left_).annotation);
    slot(left_).fiber = std::move(from);
  }

  Body body_;
  void* owner_;
  std::vector<Slot> slots_;  // kMain's first
  int running_ = kMain;
  int left_ = kMain;  // who switched last
  bool closing_ = false;
};

}  // namespace attnrt::simt
