// Names of the small enumerations, and back.
#include <array>
#include <utility>

#include "attnrt/format.hpp"
#include "format/nearest.hpp"

namespace attnrt {
namespace {

// Canonical names first: name() takes the first entry of a value.
constexpr std::array<std::pair<std::string_view, DType>, 19> kDTypes{{
    {"f64", DType::kF64},
    {"f32", DType::kF32},
    {"f16", DType::kF16},
    {"bf16", DType::kBf16},
    {"fp8_e4m3", DType::kFp8E4m3},
    {"fp8_e5m2", DType::kFp8E5m2},
    {"fp8_e4m3fnuz", DType::kFp8E4m3fnuz},
    {"double", DType::kF64},
    {"float64", DType::kF64},
    {"float", DType::kF32},
    {"float32", DType::kF32},
    {"fp32", DType::kF32},
    {"half", DType::kF16},
    {"float16", DType::kF16},
    {"fp16", DType::kF16},
    {"bfloat16", DType::kBf16},
    {"fp8", DType::kFp8E4m3},
    {"float8_e4m3fn", DType::kFp8E4m3},
    {"float8_e5m2", DType::kFp8E5m2},
}};
constexpr std::array<std::pair<std::string_view, CacheKind>, 2> kCacheKinds{
    {{"separate", CacheKind::kSeparate}, {"latent", CacheKind::kLatent}}};
constexpr std::array<std::pair<std::string_view, Layout>, 2> kLayouts{
    {{"nhd", Layout::kNhd}, {"hnd", Layout::kHnd}}};
constexpr std::array<std::pair<std::string_view, Strides>, 2> kStrides{
    {{"packed", Strides::kPacked}, {"strided", Strides::kStrided}}};

template <class Table, class E>
std::string_view name_in(const Table& table, E value) {
  for (const auto& [text, v] : table) {
    if (v == value) return text;
  }
  return "?";
}

template <class E, class Table>
Result<E> parse_in(const Table& table, std::string_view what, std::string_view text) {
  std::array<std::string_view, std::tuple_size_v<Table>> known;
  for (size_t i = 0; i < table.size(); ++i) {
    if (table[i].first == text) return table[i].second;
    known[i] = table[i].first;
  }
  return unknown_name(what, text, known);
}

}  // namespace

std::string_view name(DType dtype) {
  return name_in(kDTypes, dtype);
}
std::string_view name(CacheKind kind) {
  return name_in(kCacheKinds, kind);
}
std::string_view name(Layout layout) {
  return name_in(kLayouts, layout);
}
std::string_view name(Strides strides) {
  return name_in(kStrides, strides);
}

Result<DType> parse_dtype(std::string_view text) {
  return parse_in<DType>(kDTypes, "an element type", text);
}
Result<CacheKind> parse_cache_kind(std::string_view text) {
  return parse_in<CacheKind>(kCacheKinds, "a kind of cache", text);
}
Result<Layout> parse_layout(std::string_view text) {
  return parse_in<Layout>(kLayouts, "a cache layout", text);
}
Result<Strides> parse_strides(std::string_view text) {
  return parse_in<Strides>(kStrides, "the strides of rows", text);
}

Result<Format> parse_format(std::string_view canonical) {
  std::array<std::string_view, kFormatCount> known;
  for (const FormatInfo& f : all_formats()) {
    if (f.name == canonical) return f.format;
    known[static_cast<size_t>(f.format)] = f.name;
  }
  return unknown_name("the canonical name of a KV format", canonical, known);
}

Result<Format> plain_format(DType dtype) {
  switch (dtype) {
    case DType::kF64:
      break;
    case DType::kF32:
      return Format::kF32;
    case DType::kF16:
      return Format::kF16;
    case DType::kBf16:
      return Format::kBf16;
    case DType::kFp8E4m3:
      return Format::kFp8E4m3;
    case DType::kFp8E5m2:
      return Format::kFp8E5m2;
    case DType::kFp8E4m3fnuz:
      return Format::kFp8E4m3fnuz;
  }
  return Error{.code = ErrorCode::kInvalid,
               .expected = "an element type that a cache can store (f32, f16, bf16, fp8_…)",
               .found = in_quotes(name(dtype)),
               .remedy = "name the cache's format explicitly"};
}

int64_t element_bytes(DType dtype) {
  switch (dtype) {
    case DType::kF64:
      return 8;
    case DType::kF32:
      return 4;
    case DType::kF16:
    case DType::kBf16:
      return 2;
    case DType::kFp8E4m3:
    case DType::kFp8E5m2:
    case DType::kFp8E4m3fnuz:
      return 1;
  }
  return 0;
}

}  // namespace attnrt
