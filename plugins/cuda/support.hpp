// What the kernels of this plugin can do, for the code: the manifest's words as a table.
//
// tests/plugins/cuda/support_test.cpp compares it with manifest.yaml, value by value, so that the
// two cannot drift apart. Constant data, no state.
#pragma once

#include <array>
#include <attnrt/plugin/checks.hpp>
#include <span>
#include <string_view>

#include "kernels/cuda/params.hpp"

namespace attnrt::cuda {

struct NamedFormat {
  std::string_view name;
  Format format;
  bool scaled;  // scales of its own, beside the tensor's
  bool swizzled = false;
};
struct HeadDims {
  int32_t qk;
  int32_t v;
  bool operator==(const HeadDims&) const = default;
};

struct KernelSupport {
  std::string_view name;
  int32_t q_dtype;
  std::span<const NamedFormat> formats;
  int32_t cache_kind;
  std::span<const HeadDims> head_dims;
  int32_t block_step = 1;  // block sizes: its multiples up to kMaxBlock
};

inline constexpr std::array kBf16Formats = {
    NamedFormat{"bf16", Format::kBf16, false},
    NamedFormat{"fp8_e4m3", Format::kE4m3, false},
    NamedFormat{"fp8_e5m2", Format::kE5m2, false},
    NamedFormat{"int8_per_token_head", Format::kInt8, true},
    NamedFormat{"fp8_per_token_head", Format::kE4m3Rows, true},
};
inline constexpr std::array kF16Formats = {
    NamedFormat{"f16", Format::kF16, false},
    NamedFormat{"fp8_e4m3", Format::kE4m3, false},
    NamedFormat{"fp8_e5m2", Format::kE5m2, false},
    NamedFormat{"int8_per_token_head", Format::kInt8, true},
    NamedFormat{"fp8_per_token_head", Format::kE4m3Rows, true},
};
inline constexpr size_t kPlainFormats = 3;  // of either, without scales of rows
inline constexpr std::array kDsMlaFormats = {
    NamedFormat{"fp8_ds_mla_v32", Format::kDsMlaV32, true}};
inline constexpr std::array kInt4Formats = {
    NamedFormat{"int4_per_token_head", Format::kInt4, true}};
inline constexpr std::array kNvfp4Formats = {NamedFormat{"nvfp4_linear", Format::kNvfp4, true}};
inline constexpr std::array kSwizzledFormats = {
    NamedFormat{"nvfp4_swizzled", Format::kNvfp4, true, true}};
inline constexpr std::array kHeadDims = {HeadDims{64, 64},   HeadDims{96, 96},
                                         HeadDims{128, 128}, HeadDims{256, 256},
                                         HeadDims{512, 512}, HeadDims{192, 128}};
// Of rows that are rotated, so powers of 2.
inline constexpr std::array kRotatedDims = {HeadDims{64, 64}, HeadDims{128, 128},
                                            HeadDims{256, 256}, HeadDims{512, 512}};
// Scales of a row are moved in quarters: four blocks of 16 at least.
inline constexpr std::array kSwizzledDims = {HeadDims{64, 64}, HeadDims{128, 128},
                                             HeadDims{256, 256}, HeadDims{512, 512},
                                             HeadDims{192, 128}};
inline constexpr std::array kLatentDims = {HeadDims{576, 512}};

inline constexpr std::array kKernels = {
    KernelSupport{"attend", ATTNRT_DTYPE_BF16, kBf16Formats, ATTNRT_CACHE_SEPARATE, kHeadDims},
    KernelSupport{"attend_f16", ATTNRT_DTYPE_F16, kF16Formats, ATTNRT_CACHE_SEPARATE, kHeadDims},
    KernelSupport{"attend_int4", ATTNRT_DTYPE_BF16, kInt4Formats, ATTNRT_CACHE_SEPARATE,
                  kRotatedDims},
    KernelSupport{"attend_int4_f16", ATTNRT_DTYPE_F16, kInt4Formats, ATTNRT_CACHE_SEPARATE,
                  kRotatedDims},
    KernelSupport{"attend_nvfp4", ATTNRT_DTYPE_BF16, kNvfp4Formats, ATTNRT_CACHE_SEPARATE,
                  kHeadDims},
    KernelSupport{"attend_nvfp4_f16", ATTNRT_DTYPE_F16, kNvfp4Formats, ATTNRT_CACHE_SEPARATE,
                  kHeadDims},
    KernelSupport{"attend_nvfp4_swizzled", ATTNRT_DTYPE_BF16, kSwizzledFormats,
                  ATTNRT_CACHE_SEPARATE, kSwizzledDims, 4},
    KernelSupport{"attend_nvfp4_swizzled_f16", ATTNRT_DTYPE_F16, kSwizzledFormats,
                  ATTNRT_CACHE_SEPARATE, kSwizzledDims, 4},
    KernelSupport{"attend_latent", ATTNRT_DTYPE_BF16, std::span(kBf16Formats).first(kPlainFormats),
                  ATTNRT_CACHE_LATENT, kLatentDims},
    KernelSupport{"attend_latent_f16", ATTNRT_DTYPE_F16,
                  std::span(kF16Formats).first(kPlainFormats), ATTNRT_CACHE_LATENT, kLatentDims},
    KernelSupport{"attend_ds_mla", ATTNRT_DTYPE_BF16, kDsMlaFormats, ATTNRT_CACHE_LATENT,
                  kLatentDims},
};

// The same for all of them.
inline constexpr uint32_t kOps = 1U << ATTNRT_OP_APPEND | 1U << ATTNRT_OP_PREFILL |
                                 1U << ATTNRT_OP_DECODE | 1U << ATTNRT_OP_MIXED;
inline constexpr int32_t kDecodeTokens = 16;
inline constexpr int32_t kMaxBlock = 256;
inline constexpr int32_t kMaxGroup = 128;
inline constexpr uint64_t kFeatures = plugin::kMaskFeatures | ATTNRT_FEATURE_WINDOW |
                                      ATTNRT_FEATURE_SINKS | ATTNRT_FEATURE_SOFTCAP |
                                      ATTNRT_FEATURE_ALIBI | ATTNRT_FEATURE_LSE |
                                      ATTNRT_FEATURE_PER_HEAD_SCALES | ATTNRT_FEATURE_GRAPH;

}  // namespace attnrt::cuda
