// Formats: what the numbers in a KV cache mean. A format is never inferred from its storage type.
//
// One table (core/format/table.cpp) holds every fact about every format; the parser, the memory
// calculator, the selector and the documentation read it. All functions here are pure and
// thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attnrt/result.hpp"

namespace attnrt {

enum class Format : uint8_t {
  kF32,
  kF16,
  kBf16,
  kFp8E4m3,
  kFp8E5m2,
  kFp8E4m3fnuz,
  kInt8PerTokenHead,
  kFp8PerTokenHead,
  kInt4PerTokenHead,
  kInt4PerTokenHeadZp,
  kNvfp4Linear,
  kNvfp4Swizzled,
  kNvfp4FourOverSix,
  kFp8DsMlaV32,
  kFp8DsMlaV4,
  kFp8DsMlaV41,
  kNvfp4DsMla,
  kTurboquantK8v4,
  kTurboquant4bitNc,
  kTurboquantK3v4Nc,
  kTurboquant3bitNc,
  kUltraquant4bit,
};
inline constexpr int kFormatCount = 22;

// Element type of a dense tensor (q, k, v, out). Values are those of ATTNRT_DTYPE_*.
enum class DType : uint8_t {
  kF64 = 1,
  kF32 = 2,
  kF16 = 3,
  kBf16 = 4,
  kFp8E4m3 = 5,
  kFp8E5m2 = 6,
  kFp8E4m3fnuz = 7,
};

// Values are those of ATTNRT_CACHE_* and ATTNRT_LAYOUT_*.
enum class CacheKind : uint8_t { kSeparate = 1, kLatent = 2 };
enum class Layout : uint8_t { kNhd = 1, kHnd = 2 };

// How rows stand in memory: one behind the other, or with any strides. Of tensors [tokens, heads,
// width] (q, out, lse, k, v) and of the pages of a cache: packed pages have their rows as the
// layout says and nothing between, and blocks begin whole pages of each side (K, V) apart.
enum class Strides : uint8_t { kPacked = 1, kStrided = 2 };

struct HeadDim {
  int32_t qk = 0;
  int32_t v = 0;
  friend auto operator<=>(const HeadDim&, const HeadDim&) = default;
};

// Where a format keeps its scales.
enum class ScaleKind : uint8_t {
  kNone,        // plain values; a factor per tensor or head may apply (k_scale, v_scale)
  kInlineRow,   // one set behind each (token, head) row
  kBehindPage,  // behind the page's data rows
  kOpaque,      // the format's own business; known by name only
};

struct FormatInfo {
  Format format;
  std::string_view name;     // canonical; what manifests and the ABI use
  std::string_view storage;  // the engine's storage type: several formats share one
  ScaleKind scales;
  bool latent_only;        // exists for latent (MLA) caches only, with fixed head sizes
  bool byte_layout_known;  // false: known by name, so that it is refused with a reason
  // A row of one (token, head) side: head_dim * bits / 8 bytes, then head_dim / scale_group scales
  // of one byte and row_scale_bytes more; or, where the head sizes are fixed, fixed_row_bytes.
  int32_t bits;
  int32_t row_scale_bytes;
  int32_t scale_group;        // 0: no scales per group of values
  int32_t head_dim_multiple;  // the format exists for multiples of it
  HeadDim fixed_head_dim;     // latent_only: the only pair that it exists for
  int32_t fixed_row_bytes;    // latent_only: with all scales
  int32_t page_multiple;      // bytes that a page is rounded up to
  std::string_view summary;   // one line for people
};

std::span<const FormatInfo, kFormatCount> all_formats();
const FormatInfo& info(Format format);
std::string_view name(Format format);
std::string_view name(DType dtype);
std::string_view name(CacheKind kind);
std::string_view name(Layout layout);
std::string_view name(Strides strides);
// Exact canonical names only (manifests). Errors list the known ones and the nearest.
Result<Format> parse_format(std::string_view canonical);
Result<DType> parse_dtype(std::string_view text);  // with the usual spellings: half, bfloat16, …
Result<CacheKind> parse_cache_kind(std::string_view text);
Result<Layout> parse_layout(std::string_view text);
Result<Strides> parse_strides(std::string_view text);
// The format of a cache that stores a dtype as it is, e.g. bf16 for kBf16. Error for f64.
Result<Format> plain_format(DType dtype);
int64_t element_bytes(DType dtype);

// What users write. A spelling is resolved before selection, never by it.
struct Spelling {
  enum class Kind : uint8_t { kFormat, kAuto, kFp8, kFp8DsMla, kNvfp4 };
  Kind kind = Kind::kAuto;
  Format format = Format::kBf16;  // with kind kFormat
  std::string text = "auto";      // as written
};
Result<Spelling> parse_spelling(std::string_view text);
// Every spelling that parse_spelling takes.
std::span<const std::string_view> all_spellings();

struct SpellingContext {
  DType model_dtype = DType::kBf16;
  CacheKind cache = CacheKind::kSeparate;
  HeadDim head_dim;
  std::string_view gfx;          // ROCm device, else empty: gfx942 has its own fp8
  std::string_view ds_mla = "";  // the model's generation where it says so: "v32", "v4", "v41"
};
// The formats that the spelling stands for, preferred first (nvfp4: linear, then swizzled).
Result<std::vector<Format>> resolve(const Spelling& spelling, const SpellingContext& context);

// Bytes of one (token, head) row of one side with its inline scales, or of its share of the scales
// behind the page. Error where the format does not exist for that head_dim (nvfp4: multiples of 16;
// fp8_ds_mla: fixed) or its layout is not known.
Result<int64_t> row_bytes(Format format, int32_t head_dim);

// One page: `block_size` tokens of one layer, K and V (or the latent), with scales and the padding
// that the format itself demands.
struct PageGeometry {
  Format format = Format::kBf16;
  CacheKind cache = CacheKind::kSeparate;
  HeadDim head_dim;
  int32_t kv_heads = 1;
  int32_t block_size = 16;
  friend bool operator==(const PageGeometry&, const PageGeometry&) = default;
};
Result<int64_t> page_bytes(const PageGeometry& geometry);

// Of a packed page in a pool (pool.hpp): the bytes, a power of two, of which every row of data
// begins at a multiple. Errors: as page_bytes.
Result<int64_t> row_alignment(const PageGeometry& geometry);

// The one to three names of `known` nearest to `text` (edit distance), nearest first, quoted:
// "'fp8_e4m3' or 'fp8_e5m2'"; empty if nothing is known. For error messages.
std::string nearest(std::string_view text, std::span<const std::string_view> known);

}  // namespace attnrt
