// How a kernel is started, under nvcc and in the SIMT shim.
#pragma once

#include "kernels/cuda/grid.hpp"

#if !defined(__CUDACC__)
#include "tests/simt/launch.hpp"
#else

#include <cuda_runtime.h>

namespace attnrt::cuda {

// Null, or what the runtime says; which forgets it then, so that nobody else takes it for theirs.
inline const char* text_of(cudaError_t error) {
  if (error == cudaSuccess) return nullptr;
  cudaGetLastError();
  return cudaGetErrorString(error);
}

// Loads a kernel onto the current device and lets it have so much dynamic shared memory, always the
// same for a kernel: a launch then does neither. Returns null, or why not.
template <class Params>
const char* prepare(void (*kernel)(Params), uint32_t most_shared_bytes) {
  return text_of(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                      cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      static_cast<int>(most_shared_bytes)));
}

// Queues a kernel that was prepared. Returns null, or why it can't be started.
template <class Params>
const char* launch(void (*kernel)(Params), const Grid& grid, const Params& params) {
  void* arguments[] = {const_cast<Params*>(&params)};
  return text_of(cudaLaunchKernel(reinterpret_cast<const void*>(kernel),
                                  dim3(static_cast<unsigned>(grid.blocks)),
                                  dim3(static_cast<unsigned>(grid.threads)), arguments,
                                  grid.shared_bytes, static_cast<cudaStream_t>(grid.stream)));
}

}  // namespace attnrt::cuda

#endif
