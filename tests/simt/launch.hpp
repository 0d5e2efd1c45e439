// Launching a kernel in the shim: kernels/cuda/launch.hpp includes this where nvcc doesn't compile.
//
// Every mistake with shared memory, barriers, collectives and asynchronous copies is told. Not
// seen: races in global memory (between blocks, which run one after the other, or between threads),
// two calls of the same collective at different places of the code, a kernel that never ends or
// that waits for a block behind it. A kernel's frames beyond a fiber's stack end the process.
#pragma once

#include <stdint.h>

#include "tests/simt/stream.hpp"

namespace attnrt::simt {

// Null, or what went wrong, until this thread's next launch.
const char* launch(void (*call)(void (*function)(), const void* params), void (*function)(),
                   const void* params, int blocks, int threads, uint32_t shared_bytes);

}  // namespace attnrt::simt

namespace attnrt::cuda {

// There is nothing to load.
template <class Params>
const char* prepare(void (*)(Params), uint32_t) {
  return nullptr;
}

// Runs a kernel to its end. Returns null, or a text: the mistake of the kernel that came first, or
// why it can't be started. The text is valid until this thread's next launch. On a stream that
// captures it is kept and not run.
template <class Params>
const char* launch(void (*kernel)(Params), const Grid& grid, const Params& params) {
  auto* stream = static_cast<simt::Stream*>(grid.stream);
  if (stream != nullptr && stream->capturing) {
    Grid later = grid;
    later.stream = nullptr;
    stream->launches.emplace_back([=] { return launch(kernel, later, params); });
    return nullptr;
  }
  const auto call = [](void (*function)(), const void* argument) {
    reinterpret_cast<void (*)(Params)>(function)(*static_cast<const Params*>(argument));
  };
  return simt::launch(call, reinterpret_cast<void (*)()>(kernel), &params, grid.blocks,
                      grid.threads, grid.shared_bytes);
}

}  // namespace attnrt::cuda
