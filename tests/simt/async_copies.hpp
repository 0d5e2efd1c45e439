// A thread's asynchronous copies that have not landed, in the groups it closed.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <vector>

namespace attnrt::simt {

struct AsyncCopy {
  const void* from;
  uint32_t to;
  uint32_t bytes;
  bool valid;  // else zeros are written
  uint64_t group;
};

class AsyncCopies {
 public:
  void begin_block() {
    copies_.clear();
    first_ = 0;
    group_ = 0;
  }
  void issue(const void* from, uint32_t to, uint32_t bytes, bool valid) {
    copies_.push_back({from, to, bytes, valid, group_});
  }
  void commit() { ++group_; }
  bool in_flight() const { return first_ != copies_.size(); }

  // Hands to `land` all copies but those of the `pending` latest groups and of the open one.
  template <class Land>
  void wait(int pending, Land&& land) {
    const uint64_t kept = static_cast<uint64_t>(pending);
    while (in_flight() && copies_[first_].group + kept < group_) land(copies_[first_++]);
    if (first_ * 2 < copies_.size()) return;
    copies_.erase(copies_.begin(), copies_.begin() + static_cast<ptrdiff_t>(first_));
    first_ = 0;
  }

 private:
  std::vector<AsyncCopy> copies_;
  size_t first_ = 0;    // not landed
  uint64_t group_ = 0;  // the open one
};

}  // namespace attnrt::simt
