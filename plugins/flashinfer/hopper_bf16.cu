// FlashInfer's Hopper kernel for bf16 and heads of 128, launched by ourselves: its own launcher
// loads the kernel while it launches. Its templates take a minute and 3.3 GB to compile, so there
// is one.
#include <cuda_runtime.h>

#include <flashinfer/attention/hopper/default_params.cuh>
#include <flashinfer/attention/hopper/prefill_sm90.cuh>
#include <flashinfer/attention/hopper/variants.cuh>

#include "hopper.hpp"

namespace attnrt::flashinfer {
namespace {

namespace fi = ::flashinfer;
using Element = cutlass::bfloat16_t;

constexpr int kDim = 128;
constexpr int kTileKeys = 96;  // FlashInfer's for paged heads of 128
constexpr int kStages = 2;

struct ScaleParams {
  float softmax_scale;
};

// What LogitsTransform of FlashInfer's variants costs, a multiplication for each score, is left
// out.
struct Variant : fi::AttentionVariantBase {
  float sm_scale_log2;

  template <class Params, class Coordinates>
  __device__ Variant(const Params& p, const Coordinates&)
      : sm_scale_log2(p.additional_params.softmax_scale * fi::math::log2e) {}

  template <int kRows>
  __device__ auto GetAttentionUpdater() {
    return fi::OnlineSoftmax<kRows, /*WITH_SCALE=*/true>(sm_scale_log2);
  }
};

using Traits =
    fi::AttentionKernelTraits</*USE_TMA_LOAD_KV=*/false, kDim, kDim, kHopperTileRows, kTileKeys,
                              kStages, Element, Element, Element, int32_t, Variant>;
using Mainloop = fi::SparseCollectiveMainloop<ScaleParams, Traits, /*CAUSAL=*/true>;
using Epilogue = fi::CollectiveEpilogue<Traits>;
using Scheduler = fi::BatchPrefillPersistentTileScheduler<int32_t>;
constexpr size_t kShared = sizeof(typename Traits::SharedStorage);

const void* kernel() {
  return reinterpret_cast<const void*>(
      fi::PrefillWithKVCacheKernel<Mainloop, Epilogue, Traits, /*LEFT_SLIDING_WINDOW=*/false,
                                   /*CAUSAL=*/true, Scheduler>);
}

const char* text_of(cudaError_t error) {
  if (error == cudaSuccess) return nullptr;
  cudaGetLastError();
  return cudaGetErrorString(error);
}

Element* elements(const void* data) {
  return static_cast<Element*>(const_cast<void*>(data));
}

Mainloop::Params to_mainloop(const HopperParams& p) {
  return Mainloop::to_underlying_arguments(
      {elements(p.q),
       fi::get_gmem_layout(p.tokens, p.q_heads, kDim, p.q_token_stride, p.q_head_stride),
       elements(p.k.data),
       fi::get_gmem_layout(0, p.kv_heads, kDim, p.k.token_stride, p.k.head_stride),
       elements(p.v.data),
       fi::get_gmem_layout(0, p.kv_heads, kDim, p.v.token_stride, p.v.head_stride),
       p.indices,
       /*window_left=*/-1,
       p.k.block_stride,
       p.v.block_stride,
       static_cast<uint32_t>(p.block_size),
       {p.softmax_scale}});
}

Epilogue::Params to_epilogue(const HopperParams& p) {
  return Epilogue::to_underlying_arguments(
      {elements(p.out),
       fi::get_gmem_layout(p.tokens, p.q_heads, kDim, p.out_token_stride, p.out_head_stride), p.lse,
       fi::get_lse_gmem_layout(p.tokens, p.q_heads)});
}

Scheduler::Params to_scheduler(const HopperParams& p) {
  const auto list = [&](int64_t offset) {
    return reinterpret_cast<int32_t*>(static_cast<char*>(const_cast<void*>(p.ints)) + offset);
  };
  return Scheduler::to_underlying_arguments(
      {list(p.plan.work_begin), list(p.plan.heads), list(p.plan.q_tiles), list(p.plan.q_begin),
       list(p.plan.page_begin), list(p.plan.q_len), list(p.plan.kv_len), list(p.plan.requests),
       cutlass::FastDivmod(p.q_heads / p.kv_heads), p.q_heads});
}

}  // namespace

bool has_hopper(const AttendKernel& k) {
  return k.half == Half::kBf16 && k.stored == Stored::kBf16 && k.head_dim == kDim;
}

const char* prepare_hopper(const AttendKernel& k) {
  if (!has_hopper(k)) return "this type and head size was not compiled for Hopper";
  return text_of(
      cudaFuncSetAttribute(kernel(), cudaFuncAttributeMaxDynamicSharedMemorySize, kShared));
}

const char* launch_hopper(const AttendKernel& k, const HopperParams& p, void* stream) {
  if (!has_hopper(k)) return "this type and head size was not compiled for Hopper";
  auto mainloop = to_mainloop(p);
  auto epilogue = to_epilogue(p);
  auto scheduler = to_scheduler(p);
  void* arguments[] = {&mainloop, &epilogue, &scheduler};
  return text_of(cudaLaunchKernel(kernel(), dim3(static_cast<unsigned>(p.multiprocessors)),
                                  dim3(Traits::NUM_THREADS), arguments, kShared,
                                  static_cast<cudaStream_t>(stream)));
}

}  // namespace attnrt::flashinfer
