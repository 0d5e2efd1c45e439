// What a launch leaves open on a GPU, and a test chooses: when asynchronous copies land, in which
// order blocks and threads run, how much shared memory a block may have.
//
// One instance a process (a shared object that links the shim has its own). Set it between
// launches.
#pragma once

#include <stdint.h>

namespace attnrt::simt {

enum class Landing {
  kEarly,  // bytes are there when the copy is issued: overwrites what is still being read
  kLate,   // bytes are there when their group or landing is waited for, NaN until then
};

enum class Order { kForward, kReverse, kShuffled };

struct Settings {
  Landing landing = Landing::kLate;
  Order threads = Order::kForward;
  Order blocks = Order::kForward;
  uint64_t seed = 1;  // of what is shuffled
  // The most that a block may ask for: sm_80 163 KiB, sm_86, sm_89 and sm_120 99, sm_90 and sm_100
  // 227.
  uint32_t max_shared_bytes = 99 * 1024;
  bool bulk_copies = false;  // from sm_90
};

Settings& settings();

}  // namespace attnrt::simt
