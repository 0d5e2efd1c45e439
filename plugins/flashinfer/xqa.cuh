// XQA's kernel for one group and block size, which are macros of the unit that includes this
// (CMakeLists.txt writes it): HEAD_GRP_SIZE, TOKENS_PER_PAGE.
//
// Of csrc/xqa/mha.cu only the device function is used, from a kernel of our own, for its launcher
// - asks the device for sizes while the library is loaded (a static variable),
// - knows one scale for K and V,
// - cannot skip the requests that a captured launch has too many, and divides 0 by 0 where one has
// no key.
#pragma once

#include <cuda_runtime.h>

#include "xqa_table.hpp"

#define HEAD_ELEMS 128
#define INPUT_FP16 0       // q and out: bf16
#define CACHE_ELEM_ENUM 2  // fp8_e4m3
#define SLIDING_WINDOW 1   // its size at run time
#define LOW_PREC_OUTPUT 0
#define SPEC_DEC 0
#define BEAM_WIDTH 1
#define USE_INPUT_KV 0
#define ENABLE_PDL 0  // nothing here launches dependents

// Its host functions have one name in all units, and its own kernel would be compiled beside ours.
#define launchMHA static launchMHA
#define launchMHAFlashInfer static launchMHAFlashInfer
#include <hostUtils.h>
#include <mha.h>

#include <mhaUtils.cuh>
#include <mha_components.cuh>
#pragma push_macro("__global__")
#pragma push_macro("__launch_bounds__")
#undef __global__
#undef __launch_bounds__
#define __global__ __device__
#define __launch_bounds__(...)
#define cudaLaunchKernelEx(...) cudaSuccess
#define cudaMemcpyFromSymbol(to, ...) (*(to) = 0, cudaSuccess)
#define cudaFuncSetAttribute(...) cudaSuccess
#include <mha.cu>
#undef cudaLaunchKernelEx
#undef cudaMemcpyFromSymbol
#undef cudaFuncSetAttribute
#pragma pop_macro("__launch_bounds__")
#pragma pop_macro("__global__")

namespace attnrt::flashinfer {
namespace {

static_assert(kXqaHeadDim == validElemsPerHead && kXqaTileKeys == ctaTile.x);
// xqa_part_bytes: what kernel_mha_impl puts into its scratch for each part.
static_assert(sizeof(SMemWarpRowMax) == 128 && sizeof(OutputHead) == kXqaHeadDim * 2);

constexpr dim3 kThreads(warp_size* ctaShapeInWarps.x, ctaShapeInWarps.y, ctaShapeInWarps.z);

// A request of no key: its heads of this KV head are 0.
__device__ void write_zeros(OutputHead* out) {
  auto* words = reinterpret_cast<uint32_t*>(out);
  const uint32_t thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  for (uint32_t i = thread; i < sizeof(OutputHead) * headGrpSize / 4; i += ctaSize) words[i] = 0;
}

// Blocks: splits, KV heads, requests.
__global__ void __launch_bounds__(ctaSize, nbCtaPerSM) xqa_decode(const XqaParams p) {
  const uint32_t request = blockIdx.z;
  if (request >= *p.requests.used) return;
  auto* out = static_cast<OutputHead*>(p.out);
  const float k_scale = p.k_scale == nullptr ? 1.0F : *p.k_scale;
  const float v_scale = p.v_scale == nullptr ? 1.0F : *p.v_scale;
  if (p.requests.lengths[request] == 0 || v_scale == 0.0F) {
    write_zeros(out + (request * gridDim.y + blockIdx.y) * headGrpSize);
    return;
  }
  // It multiplies scores by rsqrt(head size) and by the one scale, which here is V's.
  const float q_scale = p.softmax_scale * sqrtf(kXqaHeadDim) * (k_scale / v_scale);
  const KVCacheList<true> pages{static_cast<GMemCacheHead*>(p.k), static_cast<GMemCacheHead*>(p.v),
                                p.requests.table, p.requests.lengths,
                                static_cast<uint32_t>(p.requests.table_stride)};
  kernel_mha_impl(static_cast<uint32_t>(p.kv_heads),
                  p.window == 0 ? UINT32_MAX : static_cast<uint32_t>(p.window), q_scale, nullptr,
                  out, static_cast<const IOHead*>(p.q), p.sinks, pages,
                  static_cast<uint32_t>(p.requests.count), v_scale, nullptr, p.block_stride,
                  p.token_stride, p.head_stride, p.tickets, p.parts);
}

cudaError_t prepare(uint32_t& shared) {
  const cudaError_t error = cudaMemcpyFromSymbol(&shared, smemSize, sizeof shared);
  if (error != cudaSuccess) return error;
  return cudaFuncSetAttribute(xqa_decode, cudaFuncAttributeMaxDynamicSharedMemorySize,
                              static_cast<int>(shared));
}

cudaError_t launch(uint32_t shared, const XqaParams& p, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>(p.splits), static_cast<unsigned>(p.kv_heads),
                  static_cast<unsigned>(p.requests.count));
  void* arguments[] = {const_cast<XqaParams*>(&p)};
  return cudaLaunchKernel(reinterpret_cast<const void*>(xqa_decode), grid, kThreads, arguments,
                          shared, stream);
}

}  // namespace
}  // namespace attnrt::flashinfer

#define ATTNRT_XQA(name)                                                    \
  namespace attnrt::flashinfer {                                            \
  extern const XqaUnit name;                                                \
  const XqaUnit name = {{HEAD_GRP_SIZE, TOKENS_PER_PAGE}, prepare, launch}; \
  }
