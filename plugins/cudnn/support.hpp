// What this plugin asks cuDNN for: the manifest's words as a table, for the code.
//
// cudnn_manifest (write_manifest.cpp) writes into manifest.yaml what of it cuDNN says it has, for
// each SM; a test compares the two, so that they cannot drift apart. Constant data, no state.
#pragma once

#include <array>
#include <attnrt/plugin/checks.hpp>
#include <string_view>

namespace attnrt::cudnn {

struct KernelSupport {
  std::string_view name;
  int32_t op;
  int32_t dtype;  // of q, out and the cache
};
inline constexpr std::array kKernels = {
    KernelSupport{"prefill", ATTNRT_OP_PREFILL, ATTNRT_DTYPE_BF16},
    KernelSupport{"prefill_f16", ATTNRT_OP_PREFILL, ATTNRT_DTYPE_F16},
    KernelSupport{"decode", ATTNRT_OP_DECODE, ATTNRT_DTYPE_BF16},
    KernelSupport{"decode_f16", ATTNRT_OP_DECODE, ATTNRT_DTYPE_F16},
};

// Of those that models have; cuDNN takes more. Not [192, 128]: a block of such K and V is no whole
// number of K's pages (views.hpp).
inline constexpr std::array kHeadDims = {64, 80, 96, 128, 192, 256, 512};
inline constexpr std::array kBlockSizes = {1, 2, 4, 8, 16, 32, 64, 128, 256};
inline constexpr std::array kSms = {80, 86, 89, 90, 100, 103, 120};
inline constexpr int32_t kMaxGroup = 128;
inline constexpr int32_t kAlignment = 16;  // bytes: cuDNN's vector loads
inline constexpr uint64_t kFeatures = ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_NON_CAUSAL |
                                      ATTNRT_FEATURE_CROSS | ATTNRT_FEATURE_WINDOW |
                                      ATTNRT_FEATURE_LSE | ATTNRT_FEATURE_GRAPH;

constexpr std::string_view format_name(int32_t dtype) {
  return dtype == ATTNRT_DTYPE_F16 ? "f16" : "bf16";
}

}  // namespace attnrt::cudnn
