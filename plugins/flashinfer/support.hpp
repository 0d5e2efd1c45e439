// What this plugin's kernels can do, for the code: the manifest's words as a table.
//
// tests/plugins/flashinfer/support_test.cpp compares it with manifest.yaml, value by value, and
// with the kernels that were compiled. Constant data, no state.
#pragma once

#include <attnrt/plugin.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "layer.hpp"

namespace attnrt::flashinfer {

struct NamedFormat {
  std::string_view name;
  Stored stored;
};

// Some numbers, or, where none is listed, 1 to `most`.
struct Sizes {
  std::span<const int32_t> listed;
  int32_t most = 0;

  [[nodiscard]] constexpr bool contains(int32_t n) const {
    if (listed.empty()) return n >= 1 && n <= most;
    return std::find(listed.begin(), listed.end(), n) != listed.end();
  }
};

struct KernelSupport {
  std::string_view name;
  Path path;
  uint32_t ops;  // bits
  int32_t q_dtype;
  Half half;
  std::span<const NamedFormat> formats;
  Sizes head_dims;
  Sizes block_sizes;
  Sizes groups;
  uint64_t features;
  bool strided;  // or packed tensors and pages alone
};

inline constexpr std::array kBf16Formats = {NamedFormat{"bf16", Stored::kBf16},
                                            NamedFormat{"fp8_e4m3", Stored::kE4m3},
                                            NamedFormat{"fp8_e5m2", Stored::kE5m2}};
inline constexpr std::array kF16Formats = {NamedFormat{"f16", Stored::kF16},
                                           NamedFormat{"fp8_e4m3", Stored::kE4m3}};
inline constexpr std::array kBf16Alone = {NamedFormat{"bf16", Stored::kBf16}};
inline constexpr std::array kE4m3Alone = {NamedFormat{"fp8_e4m3", Stored::kE4m3}};

inline constexpr uint32_t kPrefill = 1U << ATTNRT_OP_PREFILL;
inline constexpr uint32_t kPrefillOps = kPrefill | 1U << ATTNRT_OP_MIXED;
inline constexpr uint32_t kDecodeOps = 1U << ATTNRT_OP_DECODE;
inline constexpr int32_t kDecodeTokens = 1;
inline constexpr int32_t kAlignment = 16;  // bytes that FlashInfer moves at a time

inline constexpr std::array<int32_t, 3> kFa2Dims = {64, 128, 256};
inline constexpr std::array<int32_t, 1> kDim128 = {128};
// plugins/flashinfer/CMakeLists.txt compiles a unit for each two of them.
inline constexpr std::array<int32_t, 3> kXqaBlocks = {16, 32, 64};
inline constexpr std::array<int32_t, 2> kXqaGroups = {4, 8};
inline constexpr Sizes kAnyBlock = {{}, 256};
inline constexpr Sizes kAnyGroup = {{}, 128};

inline constexpr uint64_t kFa2Features = ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_WINDOW |
                                         ATTNRT_FEATURE_SOFTCAP | ATTNRT_FEATURE_LSE |
                                         ATTNRT_FEATURE_GRAPH;
inline constexpr uint64_t kHopperFeatures = ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_LSE;
inline constexpr uint64_t kXqaFeatures =
    ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_WINDOW | ATTNRT_FEATURE_SINKS | ATTNRT_FEATURE_GRAPH;

constexpr KernelSupport fa2(std::string_view name, uint32_t ops, Half half) {
  const bool bf16 = half == Half::kBf16;
  return {name,       Path::kFa2,
          ops,        bf16 ? ATTNRT_DTYPE_BF16 : ATTNRT_DTYPE_F16,
          half,       bf16 ? std::span<const NamedFormat>(kBf16Formats) : kF16Formats,
          {kFa2Dims}, kAnyBlock,
          kAnyGroup,  kFa2Features,
          true};
}

inline constexpr std::array kKernels = {fa2("prefill", kPrefillOps, Half::kBf16),
                                        fa2("prefill_f16", kPrefillOps, Half::kF16),
                                        KernelSupport{"prefill_hopper",
                                                      Path::kHopper,
                                                      kPrefill,
                                                      ATTNRT_DTYPE_BF16,
                                                      Half::kBf16,
                                                      kBf16Alone,
                                                      {kDim128},
                                                      kAnyBlock,
                                                      kAnyGroup,
                                                      kHopperFeatures,
                                                      true},
                                        fa2("decode", kDecodeOps, Half::kBf16),
                                        fa2("decode_f16", kDecodeOps, Half::kF16),
                                        KernelSupport{"decode_xqa",
                                                      Path::kXqa,
                                                      kDecodeOps,
                                                      ATTNRT_DTYPE_BF16,
                                                      Half::kBf16,
                                                      kE4m3Alone,
                                                      {kDim128},
                                                      {kXqaBlocks},
                                                      {kXqaGroups},
                                                      kXqaFeatures,
                                                      false}};

}  // namespace attnrt::flashinfer
