// Parts of divided contexts put together, a warp a row: FlashInfer's own merge knows neither the
// caller's strides nor natural logarithms, and loads itself while it is launched.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "kernels.hpp"

namespace attnrt::flashinfer {
namespace {

constexpr int kThreads = 128;
constexpr int kMostElements = 256 / 32;  // of a lane
constexpr float kLn2 = 0.69314718055994531F;

__device__ float widen(nv_bfloat16 x) {
  return __bfloat162float(x);
}
__device__ float widen(half x) {
  return __half2float(x);
}
__device__ void narrow(float x, nv_bfloat16* to) {
  *to = __float2bfloat16_rn(x);
}
__device__ void narrow(float x, half* to) {
  *to = __float2half_rn(x);
}

template <class T>
__global__ void __launch_bounds__(kThreads) finish(const FinishParams p) {
  const int64_t row = (int64_t{blockIdx.x} * kThreads + threadIdx.x) / 32;
  const int64_t token = row / p.heads;
  const int head = static_cast<int>(row - token * p.heads);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (token >= p.tokens || (p.used != nullptr && token >= *p.used)) return;
  const int64_t first = p.part_begin == nullptr ? token : p.part_begin[token];
  const int64_t last = p.part_begin == nullptr ? token + 1 : p.part_begin[token + 1];
  float largest = -INFINITY;
  for (int64_t i = first; i < last; ++i) {
    largest = fmaxf(largest, p.part_lse[i * p.heads + head]);
  }
  float sum = 0.0F;
  float out[kMostElements] = {};
  for (int64_t i = first; i < last; ++i) {
    const float lse = p.part_lse[i * p.heads + head];
    // A part without a visible key may hold anything.
    const float weight = lse == -INFINITY ? 0.0F : exp2f(lse - largest);
    if (weight == 0.0F) continue;
    sum += weight;
    if (p.part_out == nullptr) continue;
    const T* part = static_cast<const T*>(p.part_out) + (i * p.heads + head) * p.head_dim;
#pragma unroll
    for (int e = 0; e < kMostElements; ++e) {
      if (e * 32 < p.head_dim) out[e] += weight * widen(part[e * 32 + lane]);
    }
  }
  if (p.part_out != nullptr) {
    T* to = static_cast<T*>(p.out) + token * p.out_token_stride + head * p.out_head_stride;
#pragma unroll
    for (int e = 0; e < kMostElements; ++e) {
      if (e * 32 < p.head_dim) narrow(sum > 0.0F ? out[e] / sum : sum, to + e * 32 + lane);
    }
  }
  if (p.lse != nullptr && lane == 0) {
    p.lse[token * p.lse_token_stride + head * p.lse_head_stride] =
        sum == 0.0F ? -INFINITY : (largest + log2f(sum)) * kLn2;
  }
}

const void* kernel_of(Half half) {
  return half == Half::kBf16 ? reinterpret_cast<const void*>(finish<nv_bfloat16>)
                             : reinterpret_cast<const void*>(finish<::half>);
}

const char* text_of(cudaError_t error) {
  if (error == cudaSuccess) return nullptr;
  cudaGetLastError();
  return cudaGetErrorString(error);
}

}  // namespace

const char* prepare_finish(Half half) {
  cudaFuncAttributes loaded;
  return text_of(cudaFuncGetAttributes(&loaded, kernel_of(half)));
}

const char* launch_finish(Half half, const FinishParams& p, void* stream) {
  const int64_t threads = int64_t{p.tokens} * p.heads * 32;
  const dim3 grid(static_cast<unsigned>((threads + kThreads - 1) / kThreads));
  void* arguments[] = {const_cast<FinishParams*>(&p)};
  return text_of(cudaLaunchKernel(kernel_of(half), grid, dim3(kThreads), arguments, 0,
                                  static_cast<cudaStream_t>(stream)));
}

}  // namespace attnrt::flashinfer
