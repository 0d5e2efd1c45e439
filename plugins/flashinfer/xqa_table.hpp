// What each unit of XQA has to offer.
#pragma once

#include <cuda_runtime_api.h>

#include "xqa.hpp"

namespace attnrt::flashinfer {

struct XqaUnit {
  XqaKernel kernel;
  cudaError_t (*prepare)(uint32_t& shared);
  cudaError_t (*launch)(uint32_t shared, const XqaParams& params, cudaStream_t stream);
};

}  // namespace attnrt::flashinfer
