// Spellings: what users write for a KV format, those of the engines included, and what they mean.
#include <array>
#include <vector>

#include "attnrt/format.hpp"
#include "format/nearest.hpp"

namespace attnrt {
namespace {

using Kind = Spelling::Kind;

struct Row {
  std::string_view text;
  Kind kind;
  Format format = Format::kBf16;  // with kind kFormat
};

// Beside the canonical names, which are spellings too.
constexpr std::array<Row, 16> kAliases{{
    {"auto", Kind::kAuto},
    {"float", Kind::kFormat, Format::kF32},
    {"float32", Kind::kFormat, Format::kF32},
    {"fp32", Kind::kFormat, Format::kF32},
    {"float16", Kind::kFormat, Format::kF16},
    {"half", Kind::kFormat, Format::kF16},
    {"fp16", Kind::kFormat, Format::kF16},
    {"bfloat16", Kind::kFormat, Format::kBf16},
    {"fp8", Kind::kFp8},
    {"fp8_inc", Kind::kFormat, Format::kFp8E4m3},  // Gaudi
    {"fp8_e4m3fn", Kind::kFormat, Format::kFp8E4m3},
    {"float8_e4m3fn", Kind::kFormat, Format::kFp8E4m3},
    {"float8_e5m2", Kind::kFormat, Format::kFp8E5m2},
    {"float8_e4m3fnuz", Kind::kFormat, Format::kFp8E4m3fnuz},
    {"fp8_ds_mla", Kind::kFp8DsMla},
    {"nvfp4", Kind::kNvfp4},
}};

const std::vector<std::string_view>& spellings() {
  static const std::vector<std::string_view> all = [] {
    std::vector<std::string_view> names;
    for (const Row& row : kAliases) names.push_back(row.text);
    for (const FormatInfo& f : all_formats()) names.push_back(f.name);
    return names;
  }();
  return all;
}

Error ds_mla_error(std::string found, std::string remedy) {
  return Error{.code = ErrorCode::kInvalid,
               .expected =
                   "a latent cache of head size [576, 512] (V3.2) or [512, 512] (V4, V4.1) "
                   "for fp8_ds_mla",
               .found = std::move(found),
               .remedy = std::move(remedy)};
}

// The three byte layouts of fp8_ds_mla: the model says which. V4 and V4.1 have the same head size;
// where the model does not name its generation, [512, 512] means V4.
Result<std::vector<Format>> resolve_ds_mla(const SpellingContext& context) {
  const std::string dims =
      "[" + std::to_string(context.head_dim.qk) + ", " + std::to_string(context.head_dim.v) + "]";
  if (context.cache != CacheKind::kLatent) {
    return ds_mla_error("a separate cache", "choose another format for this layer, e.g. fp8");
  }
  for (Format format : {Format::kFp8DsMlaV32, Format::kFp8DsMlaV4, Format::kFp8DsMlaV41}) {
    const std::string_view generation = name(format).substr(std::string_view("fp8_ds_mla_").size());
    const bool fits = info(format).fixed_head_dim == context.head_dim;
    if (context.ds_mla == generation && !fits) {
      return ds_mla_error(
          "head size " + dims + " in a model of generation " + std::string(generation),
          "correct ds_mla or the head size in the model's geometry");
    }
    if (context.ds_mla == generation || (context.ds_mla.empty() && fits)) {
      return std::vector<Format>{format};
    }
  }
  if (context.ds_mla.empty()) {
    return ds_mla_error("head size " + dims, "choose another format for this layer");
  }
  return Error{.code = ErrorCode::kInvalid,
               .expected = "a DeepSeek cache generation (v32, v4, v41)",
               .found = in_quotes(context.ds_mla),
               .remedy = "correct ds_mla in the model's geometry"};
}

}  // namespace

std::span<const std::string_view> all_spellings() {
  return spellings();
}

Result<Spelling> parse_spelling(std::string_view text) {
  for (const Row& row : kAliases) {
    if (row.text == text) return Spelling{row.kind, row.format, std::string(text)};
  }
  for (const FormatInfo& f : all_formats()) {
    if (f.name == text) return Spelling{Kind::kFormat, f.format, std::string(text)};
  }
  return unknown_name("a KV format", text, spellings());
}

Result<std::vector<Format>> resolve(const Spelling& spelling, const SpellingContext& context) {
  switch (spelling.kind) {
    case Kind::kFormat:
      return std::vector<Format>{spelling.format};
    case Kind::kAuto: {
      Result<Format> plain = plain_format(context.model_dtype);
      if (!plain) return std::move(plain).error();
      return std::vector<Format>{*plain};
    }
    case Kind::kFp8: {
      // CDNA3 (gfx940 … gfx942) has its own e4m3; everybody else, CDNA4 included, has OCP's.
      const bool cdna3 = context.gfx.starts_with("gfx94");
      return std::vector<Format>{cdna3 ? Format::kFp8E4m3fnuz : Format::kFp8E4m3};
    }
    case Kind::kFp8DsMla:
      return resolve_ds_mla(context);
    case Kind::kNvfp4:
      return std::vector<Format>{Format::kNvfp4Linear, Format::kNvfp4Swizzled};
  }
  return Error{.code = ErrorCode::kInternal, .found = "a spelling of no kind"};
}

}  // namespace attnrt
