// What a kernel is started on.
#pragma once

#include <stdint.h>

namespace attnrt::cuda {

struct Grid {
  int blocks;
  int threads;
  uint32_t shared_bytes;
  void* stream;
};

}  // namespace attnrt::cuda
