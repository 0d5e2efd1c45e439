// What the calling thread's latest launch did.
#pragma once

#include <stdint.h>

namespace attnrt::simt {

struct Statistics {
  int64_t blocks = 0;
  int64_t barriers = 0;      // of all threads of a block
  int64_t collectives = 0;   // of a warp, its barriers among them
  int64_t copied_bytes = 0;  // from global to shared memory by asynchronous copies
};

const Statistics& statistics();

}  // namespace attnrt::simt
