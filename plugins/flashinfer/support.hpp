// What this plugin's kernels can do, for the code: the manifest's words as a table.
//
// tests/plugins/flashinfer/support_test.cpp compares it with manifest.yaml, value by value, and
// with the kernels that were compiled. Constant data, no state.
#pragma once

#include <attnrt/plugin.h>

#include <array>
#include <span>
#include <string_view>

#include "kernels.hpp"

namespace attnrt::flashinfer {

struct NamedFormat {
  std::string_view name;
  Stored stored;
};

struct KernelSupport {
  std::string_view name;
  uint32_t ops;  // bits
  int32_t q_dtype;
  Half half;
  std::span<const NamedFormat> formats;
};

inline constexpr std::array kBf16Formats = {NamedFormat{"bf16", Stored::kBf16},
                                            NamedFormat{"fp8_e4m3", Stored::kE4m3},
                                            NamedFormat{"fp8_e5m2", Stored::kE5m2}};
inline constexpr std::array kF16Formats = {NamedFormat{"f16", Stored::kF16},
                                           NamedFormat{"fp8_e4m3", Stored::kE4m3}};

inline constexpr uint32_t kPrefillOps = 1U << ATTNRT_OP_PREFILL | 1U << ATTNRT_OP_MIXED;
inline constexpr uint32_t kDecodeOps = 1U << ATTNRT_OP_DECODE;

inline constexpr std::array kKernels = {
    KernelSupport{"prefill", kPrefillOps, ATTNRT_DTYPE_BF16, Half::kBf16, kBf16Formats},
    KernelSupport{"prefill_f16", kPrefillOps, ATTNRT_DTYPE_F16, Half::kF16, kF16Formats},
    KernelSupport{"decode", kDecodeOps, ATTNRT_DTYPE_BF16, Half::kBf16, kBf16Formats},
    KernelSupport{"decode_f16", kDecodeOps, ATTNRT_DTYPE_F16, Half::kF16, kF16Formats}};

// The same for all of them.
inline constexpr std::array kHeadDims = {64, 128, 256};
inline constexpr int32_t kMaxBlock = 256;
inline constexpr int32_t kMaxGroup = 128;
inline constexpr int32_t kDecodeTokens = 1;
inline constexpr int32_t kAlignment = 16;  // bytes that FlashInfer moves at a time
inline constexpr uint64_t kFeatures = ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_WINDOW |
                                      ATTNRT_FEATURE_SOFTCAP | ATTNRT_FEATURE_LSE |
                                      ATTNRT_FEATURE_GRAPH;

}  // namespace attnrt::flashinfer
