// What the kernels of this plugin can do, for the code: the manifest's words as a table.
//
// tests/plugins/cpu/support_test.cpp compares it with manifest.yaml, value by value, so that the
// two cannot drift apart. Constant data, no state.
#pragma once

#include <array>
#include <attnrt/plugin/checks.hpp>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/cpu/params.hpp"

namespace attnrt::cpu {

struct NamedFormat {
  std::string_view name;
  Format format;
};

// {n, n, step}: the multiples of step in [min, max], as [n, n]; or one pair, with step 0.
struct HeadDims {
  int32_t min_or_qk;
  int32_t max_or_v;
  int32_t step;

  constexpr bool has(int32_t qk, int32_t v) const {
    if (step == 0) return qk == min_or_qk && v == max_or_v;
    return qk == v && qk >= min_or_qk && qk <= max_or_v && qk % step == 0;
  }
};

struct KernelSupport {
  std::string_view name;
  uint32_t ops;  // bits 1 << ATTNRT_OP_*
  std::span<const int32_t> q;
  std::span<const int32_t> out;
  std::span<const NamedFormat> formats;
  int32_t cache_kind;  // 0: no cache
  std::span<const HeadDims> head_dims;
  int32_t block_step;  // block sizes: its multiples up to max_block
  int32_t max_block;
  int32_t max_group;
  uint64_t features;
};

inline constexpr std::array kFormatTable = {
    NamedFormat{"f32", Format::kF32},
    NamedFormat{"f16", Format::kF16},
    NamedFormat{"bf16", Format::kBf16},
    NamedFormat{"fp8_e4m3", Format::kE4m3},
    NamedFormat{"fp8_e5m2", Format::kE5m2},
    NamedFormat{"fp8_e4m3fnuz", Format::kE4m3Fnuz},
    NamedFormat{"int8_per_token_head", Format::kInt8},
    NamedFormat{"fp8_per_token_head", Format::kFp8Row},
};
inline constexpr std::array kNvfp4Table = {NamedFormat{"nvfp4_linear", Format::kNvfp4}};
inline constexpr std::array kSwizzledTable = {
    NamedFormat{"nvfp4_swizzled", Format::kNvfp4Swizzled}};
inline constexpr std::array kDsMlaTable = {NamedFormat{"fp8_ds_mla_v32", Format::kDsMlaV32}};
inline constexpr std::array kDsMlaV4Table = {NamedFormat{"fp8_ds_mla_v4", Format::kDsMlaV4},
                                             NamedFormat{"fp8_ds_mla_v41", Format::kDsMlaV41}};
inline constexpr std::array kInt4Table = {NamedFormat{"int4_per_token_head", Format::kInt4}};
static_assert(kFormatTable.size() + kNvfp4Table.size() + kSwizzledTable.size() +
                  kDsMlaTable.size() + kDsMlaV4Table.size() + kInt4Table.size() ==
              kFormats);
inline constexpr size_t kPlainFormats = 6;  // latent rows have no scales of their own for V
static_assert(!has_row_scales(kFormatTable[kPlainFormats - 1].format) &&
              has_row_scales(kFormatTable[kPlainFormats].format));

inline constexpr std::array<int32_t, 3> kDtypes = {ATTNRT_DTYPE_F32, ATTNRT_DTYPE_F16,
                                                   ATTNRT_DTYPE_BF16};
inline constexpr std::array kHeadDims = {HeadDims{32, 256, 8}, HeadDims{512, 512, 8},
                                         HeadDims{192, 128, 0}};
inline constexpr std::array kNvfp4Dims = {HeadDims{32, 256, 16}, HeadDims{512, 512, 16},
                                          HeadDims{192, 128, 0}};
// Scales of a row are moved in quarters: four blocks of 16 at least.
inline constexpr std::array kSwizzledDims = {HeadDims{64, 256, 64}, HeadDims{512, 512, 64},
                                             HeadDims{192, 128, 0}};
inline constexpr std::array kLatentDims = {HeadDims{576, 512, 0}};

inline constexpr std::array kDsMlaV4Dims = {HeadDims{512, 512, 512}};
// Rows are rotated: powers of two.
inline constexpr std::array kInt4Dims = {
    HeadDims{32, 32, 0},   HeadDims{64, 64, 0},  HeadDims{128, 128, 0}, HeadDims{256, 256, 0},
    HeadDims{512, 512, 0}, HeadDims{64, 128, 0}, HeadDims{128, 64, 0},  HeadDims{256, 128, 0}};

inline constexpr uint32_t kAttendOps = 1U << ATTNRT_OP_APPEND | 1U << ATTNRT_OP_PREFILL |
                                       1U << ATTNRT_OP_DECODE | 1U << ATTNRT_OP_MIXED;
inline constexpr uint64_t kAttendFeatures =
    plugin::kMaskFeatures | ATTNRT_FEATURE_WINDOW | ATTNRT_FEATURE_SINKS | ATTNRT_FEATURE_SOFTCAP |
    ATTNRT_FEATURE_ALIBI | ATTNRT_FEATURE_LSE | ATTNRT_FEATURE_PER_HEAD_SCALES |
    ATTNRT_FEATURE_BATCH_INVARIANT;

inline constexpr std::array kKernels = {
    KernelSupport{"attend", kAttendOps, kDtypes, kDtypes, kFormatTable, ATTNRT_CACHE_SEPARATE,
                  kHeadDims, 1, 256, 128, kAttendFeatures},
    KernelSupport{"attend_nvfp4", kAttendOps, kDtypes, kDtypes, kNvfp4Table, ATTNRT_CACHE_SEPARATE,
                  kNvfp4Dims, 1, 256, 128, kAttendFeatures},
    KernelSupport{"attend_nvfp4_swizzled", kAttendOps, kDtypes, kDtypes, kSwizzledTable,
                  ATTNRT_CACHE_SEPARATE, kSwizzledDims, 4, 256, 128, kAttendFeatures},
    KernelSupport{"attend_latent", kAttendOps, kDtypes, kDtypes,
                  std::span(kFormatTable).first(kPlainFormats), ATTNRT_CACHE_LATENT, kLatentDims, 1,
                  256, 128, kAttendFeatures},
    KernelSupport{"attend_ds_mla", kAttendOps, kDtypes, kDtypes, kDsMlaTable, ATTNRT_CACHE_LATENT,
                  kLatentDims, 1, 256, 128, kAttendFeatures},
    KernelSupport{"attend_ds_mla_v4", kAttendOps, kDtypes, kDtypes, kDsMlaV4Table,
                  ATTNRT_CACHE_LATENT, kDsMlaV4Dims, 1, 256, 128, kAttendFeatures},
    KernelSupport{"attend_int4", kAttendOps, kDtypes, kDtypes, kInt4Table, ATTNRT_CACHE_SEPARATE,
                  kInt4Dims, 1, 256, 128, kAttendFeatures},
    KernelSupport{"merge",
                  1U << ATTNRT_OP_MERGE,
                  std::span(kDtypes).first(1),
                  kDtypes,
                  {},
                  0,
                  std::span(kHeadDims).first(2),
                  0,
                  0,
                  0,
                  ATTNRT_FEATURE_LSE | ATTNRT_FEATURE_BATCH_INVARIANT},
};

// The largest query tokens a sequence that op decode takes; more work too, prefill lists them.
inline constexpr int32_t kDecodeTokens = 16;

}  // namespace attnrt::cpu
