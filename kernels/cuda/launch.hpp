// How a kernel is started, under nvcc and in the SIMT shim.
#pragma once

#include "kernels/cuda/grid.hpp"

#if !defined(__CUDACC__)
#include "tests/simt/launch.hpp"
#else

#include <cuda_runtime.h>

namespace attnrt::cuda {

// Queues a kernel. Returns null, or why it can't be started.
template <class Params>
const char* launch(void (*kernel)(Params), const Grid& grid, const Params& params) {
  const auto* function = reinterpret_cast<const void*>(kernel);
  cudaError_t error = cudaSuccess;
  if (grid.shared_bytes > 48 * 1024) {
    error = cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(grid.shared_bytes));
  }
  if (error == cudaSuccess) {
    void* arguments[] = {const_cast<Params*>(&params)};
    error = cudaLaunchKernel(function, dim3(static_cast<unsigned>(grid.blocks)),
                             dim3(static_cast<unsigned>(grid.threads)), arguments,
                             grid.shared_bytes, static_cast<cudaStream_t>(grid.stream));
  }
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

}  // namespace attnrt::cuda

#endif
