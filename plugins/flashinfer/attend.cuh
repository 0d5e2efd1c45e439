// FlashInfer's paged prefill kernel (fa2), instantiated and launched by ourselves: its own launcher
// loads kernels while it launches, which a captured stream does not allow, and instantiates tiles
// that no device takes.
#pragma once

#include <cuda_runtime.h>

#include <flashinfer/attention/default_prefill_params.cuh>
#include <flashinfer/attention/mask.cuh>
#include <flashinfer/attention/prefill.cuh>
#include <flashinfer/attention/variant_helper.cuh>

#include "attend_table.hpp"

namespace attnrt::flashinfer {

namespace fi = ::flashinfer;

template <class Q, class KV>
struct KernelParams : fi::BatchPrefillPagedParams<Q, KV, Q, int32_t> {
  const float* k_factor = nullptr;  // device; null: 1
  const float* v_factor = nullptr;
};

// 1 - 2 / (e^2x + 1): tanh.approx errs by 2^-11, docs/accuracy.md allows 2^-21. Of small x, where
// that loses digits, the first terms of the series.
__device__ __forceinline__ float tanh_precise(float x) {
  const float a = fabsf(x);
  const float x2 = x * x;
  if (a < 0.125F) {
    return x * (1.0F + x2 * (-1.0F / 3 + x2 * (2.0F / 15 + x2 * (-17.0F / 315 + x2 * 62 / 2835))));
  }
  const float e = exp2f(fminf(a, 16.0F) * 2.8853900817779268F);
  return copysignf(1.0F - 2.0F / (e + 1.0F), x);
}

// Window, soft cap and scales at run time: uniform branches, a sixth of the kernels to compile.
struct Variant : fi::AttentionVariantBase {
  static constexpr bool use_softmax = true;

  uint32_t qo_len, kv_len, window_left;
  float sm_scale_log2;  // multiplies what LogitsTransform gives; never negative, maxima come first
  float inner;          // multiplies q·k inside tanh, or is its sign
  bool capped;
  float v_factor;

  template <class Params>
  __device__ __host__ Variant(const Params& p, uint32_t request, uint8_t*) {
    qo_len = p.get_qo_len(request);
    kv_len = p.get_kv_len(request);
    window_left = p.window_left >= 0 ? p.window_left : kv_len;
    const float scale = p.sm_scale * (p.k_factor == nullptr ? 1.0F : *p.k_factor);
    capped = p.logits_soft_cap > 0.0F;
    sm_scale_log2 = fi::math::log2e * (capped ? p.logits_soft_cap : fabsf(scale));
    inner = capped ? scale / p.logits_soft_cap : copysignf(1.0F, scale);
    v_factor = p.v_factor == nullptr ? 1.0F : *p.v_factor;
  }

  REGISTER_LOGITS_TRANSFORM(params, logits, batch_idx, qo_idx, kv_idx, qo_head_idx, kv_head_idx, {
    const T x = logits * inner;
    return capped ? tanh_precise(x) : x;
  })
  REGISTER_LOGITS_MASK(params, batch_idx, qo_idx, kv_idx, qo_head_idx, kv_head_idx,
                       { return kv_idx + qo_len + window_left >= kv_len + qo_idx; })
  REGISTER_OUTPUT_TRANSFORM(params, output, batch_idx, qo_idx, qo_head_idx, m, d, scale, {
    return m == -fi::math::inf ? 0.0F : output * fi::math::ptx_rcp(d) * v_factor;
  })
};

// Shared memory of a multiprocessor in KiB, of which a block has one less: 86, 89 and 120 have the
// less, 80 the more; what 90 and 100 have beyond it buys next to no larger tiles.
inline constexpr int kLittleShared = 100;
inline constexpr int kMuchShared = 164;

// How many times 16 keys a warp takes at once: FlashInfer's rule, two blocks a multiprocessor where
// they fit.
template <class Q, class KV, uint32_t kRows, uint32_t kDim>
constexpr uint32_t keys_by_16(int shared_kib) {
  constexpr uint32_t kWarpsQ = fi::get_num_warps_q(kRows);
  constexpr uint32_t kWarpsKv = fi::get_num_warps_kv(kRows);
  constexpr bool kRepack = fi::use_kv_repack<KV, kRows, kDim, kDim>(false);
  constexpr int kFixed = kRows * kDim * sizeof(Q);
  constexpr int kEach = kDim * 16 * kWarpsKv * (2 * sizeof(KV) + (kRepack ? sizeof(Q) : 0));
  constexpr int kLeast = sizeof(KV) == 1 && kWarpsQ > 2 ? kWarpsQ / 2 : 1;
  const int all = shared_kib * 1024;
  const int blocks = all >= 2 * (kFixed + kLeast * kEach) ? 2 : 1;
  const int room = all / blocks < all - 1024 ? all / blocks : all - 1024;
  const int fits = (room - kFixed) / kEach;
  const int most = 8 / fi::get_num_mma_q(kRows);
  const int n = fits < most ? fits : most;
  return n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? 2 : 1;
}

inline const char* text_of(cudaError_t error) {
  if (error == cudaSuccess) return nullptr;
  cudaGetLastError();
  return cudaGetErrorString(error);
}

template <class Q, class KV, uint32_t kDim, uint32_t kRows, int kSharedKib>
struct Instance {
  using Traits = fi::KernelTraits<fi::MaskMode::kCausal, kRows, fi::get_num_mma_q(kRows),
                                  keys_by_16<Q, KV, kRows, kDim>(kSharedKib), kDim / 16, kDim / 16,
                                  fi::get_num_warps_q(kRows), fi::get_num_warps_kv(kRows),
                                  fi::PosEncodingMode::kNone, Q, KV, Q, float, int32_t, Variant>;
  static_assert(!Traits::IsInvalid());
  static constexpr size_t kShared = sizeof(typename Traits::SharedStoragePaged);
  static_assert(kShared <= (kSharedKib - 1) * 1024);

  static const void* kernel() {
    return reinterpret_cast<const void*>(
        fi::BatchPrefillWithPagedKVCacheKernel<false, Traits, KernelParams<Q, KV>>);
  }
  static cudaError_t prepare() {
    return cudaFuncSetAttribute(kernel(), cudaFuncAttributeMaxDynamicSharedMemorySize, kShared);
  }
  static cudaError_t launch(KernelParams<Q, KV>& p, int kv_heads, cudaStream_t stream) {
    const dim3 grid(p.padded_batch_size, 1, kv_heads);
    const dim3 block(32, Traits::NUM_WARPS_Q, Traits::NUM_WARPS_KV);
    void* arguments[] = {&p};
    return cudaLaunchKernel(kernel(), grid, block, arguments, kShared, stream);
  }
};

// The kernels of one stored type and head size.
template <class Q, class KV, uint32_t kDim>
class Family {
 public:
  static const char* prepare(int shared) {
    cudaError_t error = cudaSuccess;
    with_kind(shared, [&](auto kib) {
      constexpr int kKib = decltype(kib)::value;
      error = Instance<Q, KV, kDim, 16, kKib>::prepare();
      if (error == cudaSuccess) error = Instance<Q, KV, kDim, 64, kKib>::prepare();
      if constexpr (kDim < 256) {
        if (error == cudaSuccess) error = Instance<Q, KV, kDim, 128, kKib>::prepare();
      }
    });
    return text_of(error);
  }

  static const char* launch(int shared, const AttendParams& a, cudaStream_t stream) {
    KernelParams<Q, KV> p = to_params(a);
    cudaError_t error = cudaSuccess;
    with_kind(shared, [&](auto kib) {
      constexpr int kKib = decltype(kib)::value;
      if (a.plan.tile_rows == 16) {
        error = Instance<Q, KV, kDim, 16, kKib>::launch(p, a.kv_heads, stream);
      } else if (a.plan.tile_rows == 64) {
        error = Instance<Q, KV, kDim, 64, kKib>::launch(p, a.kv_heads, stream);
      } else if constexpr (kDim < 256) {  // FA2DetermineCtaTileQ gives 128 for those alone
        error = Instance<Q, KV, kDim, 128, kKib>::launch(p, a.kv_heads, stream);
      } else {
        error = cudaErrorInvalidValue;
      }
    });
    return text_of(error);
  }

 private:
  template <class Body>
  static void with_kind(int shared, Body body) {
    if (shared >= kMuchShared * 1024) {
      body(std::integral_constant<int, kMuchShared>{});
    } else {
      body(std::integral_constant<int, kLittleShared>{});
    }
  }

  static fi::paged_kv_t<KV, int32_t> to_pages(const AttendParams& a) {
    const int64_t k[] = {a.k.block_stride, a.k.token_stride, a.k.head_stride};
    const int64_t v[] = {a.v.block_stride, a.v.token_stride, a.v.head_stride};
    return {static_cast<uint32_t>(a.kv_heads),
            static_cast<uint32_t>(a.block_size),
            kDim,
            static_cast<uint32_t>(a.requests.count),
            fi::QKVLayout::kNHD,  // only says which of the strides is which
            static_cast<KV*>(a.k.data),
            static_cast<KV*>(a.v.data),
            k,
            v,
            a.requests.indices,
            a.requests.page_begin,
            a.requests.last_page_len};
  }

  static KernelParams<Q, KV> to_params(const AttendParams& a) {
    KernelParams<Q, KV> p;
    const auto ints = [&](int64_t offset) {
      return reinterpret_cast<int32_t*>(static_cast<char*>(a.ints) + offset);
    };
    p.q = static_cast<Q*>(a.q);
    p.paged_kv = to_pages(a);
    p.q_indptr = a.requests.q_begin;
    p.o = static_cast<Q*>(a.out);
    p.lse = a.lse;
    p.group_size = fi::uint_fastdiv(a.q_heads / a.kv_heads);
    p.num_qo_heads = a.q_heads;
    p.q_stride_n = static_cast<int32_t>(a.q_token_stride);
    p.q_stride_h = static_cast<int32_t>(a.q_head_stride);
    p.window_left = a.window - 1;  // none: -1
    p.logits_soft_cap = a.softcap;
    p.sm_scale = a.softmax_scale;
    p.request_indices = ints(a.plan.request_indices);
    p.qo_tile_indices = ints(a.plan.q_tiles);
    p.kv_tile_indices = ints(a.plan.kv_tiles);
    p.o_indptr = a.plan.split ? ints(a.plan.request_parts) : a.requests.q_begin;
    p.kv_chunk_size_ptr = ints(a.plan.chunk_keys);
    if (a.plan.graph) p.block_valid_mask = reinterpret_cast<bool*>(ints(a.plan.block_used));
    p.padded_batch_size = static_cast<uint32_t>(a.plan.blocks);
    p.partition_kv = a.plan.split;
    p.k_factor = a.k_scale;
    p.v_factor = a.v_scale;
    return p;
  }
};

// What a unit of the build has: the head sizes of one pair of types. body(Family) or `otherwise`.
template <class Q, class KV>
struct Pair {
  template <class Result, class Body>
  static Result with_family(int head_dim, Result otherwise, Body body) {
    switch (head_dim) {
      case 64:
        return body(Family<Q, KV, 64>{});
      case 128:
        return body(Family<Q, KV, 128>{});
      case 256:
        return body(Family<Q, KV, 256>{});
      default:
        return otherwise;
    }
  }
  static bool has(int head_dim) {
    return with_family(head_dim, false, [](auto) { return true; });
  }
  static const char* prepare(int head_dim, int shared) {
    return with_family(head_dim, kMissing, [&](auto f) { return f.prepare(shared); });
  }
  static const char* launch(int head_dim, int shared, const AttendParams& p, cudaStream_t stream) {
    return with_family(head_dim, kMissing, [&](auto f) { return f.launch(shared, p, stream); });
  }
  static constexpr const char* kMissing = "this head size was not compiled";
};

}  // namespace attnrt::flashinfer

#define ATTNRT_FLASHINFER_PAIR(name, Q, KV)                                             \
  namespace attnrt::flashinfer {                                                        \
  extern const PairTable name;                                                          \
  const PairTable name = {Pair<Q, KV>::has, Pair<Q, KV>::prepare, Pair<Q, KV>::launch}; \
  }
