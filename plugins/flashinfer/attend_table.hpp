// What each unit of FlashInfer's kernels has to offer: one pair of q's and the stored type.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels.hpp"

namespace attnrt::flashinfer {

// By head size and bytes of shared memory of a multiprocessor; texts are null or why not.
struct PairTable {
  bool (*has)(int head_dim);
  const char* (*prepare)(int head_dim, int shared);
  const char* (*launch)(int head_dim, int shared, const AttendParams& params, cudaStream_t stream);
};

extern const PairTable kBf16OverBf16;
extern const PairTable kBf16OverE4m3;
extern const PairTable kBf16OverE5m2;
extern const PairTable kF16OverF16;
extern const PairTable kF16OverE4m3;

}  // namespace attnrt::flashinfer
