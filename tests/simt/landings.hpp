// Barriers in shared memory that count the bytes of bulk copies (mbarrier with one arrival).
#pragma once

#include <stdint.h>

#include <vector>

namespace attnrt::simt {

struct BulkCopy {
  int thread;  // that issued it
  const uint8_t* from;
  uint32_t to;
  uint32_t bytes;
};

// Its phases follow each other; one ends once somebody said how many bytes it has, and they landed.
struct BulkLanding {
  uint32_t phase = 0;
  bool told = false;
  uint64_t expected = 0;  // bytes
  uint64_t issued = 0;
  std::vector<BulkCopy> copies;

  bool may_end() const { return told && issued == expected; }
  void next_phase() {
    ++phase;
    told = false;
    expected = issued = 0;
    copies.clear();
  }
};

}  // namespace attnrt::simt
