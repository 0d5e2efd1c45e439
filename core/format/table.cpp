// The table of formats: the only place where a format's facts stand.
#include <array>

#include "attnrt/format.hpp"

namespace attnrt {
namespace {

using enum Format;

// A format whose rows are `bits` a value, without scales of its own.
constexpr FormatInfo plain(Format format, std::string_view name, std::string_view storage,
                           int32_t bits, std::string_view summary) {
  return {format, name, storage, ScaleKind::kNone, false, true, bits, 0, 0, 1, {}, 0, 1, summary};
}

// One set of scales of `scale_bytes` in line behind every (token, head) row.
constexpr FormatInfo per_token_head(Format format, std::string_view name, int32_t bits,
                                    int32_t scale_bytes, std::string_view summary) {
  const int32_t multiple = bits == 4 ? 2 : 1;
  return {format,
          name,
          bits == 4 ? "uint8" : (format == kInt8PerTokenHead ? "int8" : "fp8"),
          ScaleKind::kInlineRow,
          false,
          true,
          bits,
          scale_bytes,
          0,
          multiple,
          {},
          0,
          1,
          summary};
}

// e2m1 with an e4m3 scale per 16 values, behind the page's rows.
constexpr FormatInfo nvfp4(Format format, std::string_view name, std::string_view summary) {
  return {format, name, "uint8", ScaleKind::kBehindPage, false, true, 4, 0, 16, 16, {},
          0,      1,    summary};
}

constexpr FormatInfo latent(Format format, std::string_view name, ScaleKind scales,
                            HeadDim head_dim, int32_t row_bytes, int32_t page_multiple,
                            std::string_view summary) {
  return {format, name, "uint8", scales,   true,      true,          0,
          0,      0,    1,       head_dim, row_bytes, page_multiple, summary};
}

constexpr FormatInfo by_name(Format format, std::string_view name, std::string_view summary) {
  return {format, name, "uint8", ScaleKind::kOpaque, false, false, 0, 0, 0, 1, {}, 0, 1, summary};
}

constexpr std::array<FormatInfo, kFormatCount> kTable{{
    plain(kF32, "f32", "float32", 32, "IEEE binary32"),
    plain(kF16, "f16", "float16", 16, "IEEE binary16"),
    plain(kBf16, "bf16", "bfloat16", 16, "bfloat16"),
    plain(kFp8E4m3, "fp8_e4m3", "uint8", 8, "OCP e4m3fn: max 448, no infinity"),
    plain(kFp8E5m2, "fp8_e5m2", "uint8", 8, "OCP e5m2: max 57344, has infinities"),
    plain(kFp8E4m3fnuz, "fp8_e4m3fnuz", "uint8", 8, "AMD CDNA3's e4m3: bias 8, max 240"),
    per_token_head(kInt8PerTokenHead, "int8_per_token_head", 8, 4,
                   "int8, one f32 scale per token and head in line"),
    per_token_head(kFp8PerTokenHead, "fp8_per_token_head", 8, 4,
                   "e4m3, one f32 scale per token and head in line"),
    per_token_head(kInt4PerTokenHead, "int4_per_token_head", 4, 4,
                   "rotated 4 bits; zero point in the low bits of the f32 scale in line"),
    per_token_head(kInt4PerTokenHeadZp, "int4_per_token_head_zp", 4, 8,
                   "rotated 4 bits; f32 scale and f32 zero point in line"),
    nvfp4(kNvfp4Linear, "nvfp4_linear", "e2m1, e4m3 scale per 16 values, scales in order"),
    nvfp4(kNvfp4Swizzled, "nvfp4_swizzled", "e2m1, e4m3 scale per 16 values, V's permuted"),
    nvfp4(kNvfp4FourOverSix, "nvfp4_4over6",
          "as nvfp4_swizzled; the writer chooses max/6 or max/4 scales"),
    latent(kFp8DsMlaV32, "fp8_ds_mla_v32", ScaleKind::kInlineRow, {576, 512}, 656, 1,
           "DeepSeek V3.2 latent: 512 e4m3, 4 f32 scales, 64 bf16 RoPE"),
    latent(kFp8DsMlaV4, "fp8_ds_mla_v4", ScaleKind::kBehindPage, {512, 512}, 584, 576,
           "DeepSeek V4 latent: 448 e4m3, 64 bf16 RoPE, 7 ue8m0 scales behind the page"),
    latent(kFp8DsMlaV41, "fp8_ds_mla_v41", ScaleKind::kBehindPage, {512, 512}, 528, 512,
           "DeepSeek V4.1 latent: 512 e4m3, 16 ue8m0 scales behind the page"),
    latent(kNvfp4DsMla, "nvfp4_ds_mla", ScaleKind::kInlineRow, {576, 512}, 352, 1,
           "latent: 512 e2m1, 64 e4m3 RoPE, 32 permuted e4m3 scales"),
    by_name(kTurboquantK8v4, "turboquant_k8v4", "rotated codes, 8-bit K, 4-bit V; by name only"),
    by_name(kTurboquant4bitNc, "turboquant_4bit_nc", "rotated 4-bit codes; by name only"),
    by_name(kTurboquantK3v4Nc, "turboquant_k3v4_nc",
            "rotated codes, 3-bit K, 4-bit V; by name only"),
    by_name(kTurboquant3bitNc, "turboquant_3bit_nc", "rotated 3-bit codes; by name only"),
    by_name(kUltraquant4bit, "ultraquant_4bit", "FP4 with ue8m0 group scales; by name only"),
}};

constexpr bool in_enum_order() {
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<size_t>(kTable[i].format) != i) return false;
  }
  return true;
}
static_assert(in_enum_order(), "kTable is indexed by Format");

}  // namespace

std::span<const FormatInfo, kFormatCount> all_formats() {
  return kTable;
}

const FormatInfo& info(Format format) {
  return kTable[static_cast<size_t>(format)];
}

std::string_view name(Format format) {
  return info(format).name;
}

}  // namespace attnrt
