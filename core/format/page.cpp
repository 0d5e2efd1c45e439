// Bytes of rows and pages: the memory calculator.
#include <limits>

#include "attnrt/format.hpp"
#include "attnrt/pool.hpp"
#include "format/nearest.hpp"
#include "format/row_split.hpp"

namespace attnrt {
namespace {

Error does_not_fit(Format format, std::string expected, std::string found) {
  return Error{.code = ErrorCode::kInvalid,
               .where = std::string(name(format)),
               .expected = std::move(expected),
               .found = std::move(found),
               .remedy = "choose another format for this layer"};
}

std::string pair_text(HeadDim d) {
  return "[" + std::to_string(d.qk) + ", " + std::to_string(d.v) + "]";
}

// Rows of the sides that a page holds: K and V, or the latent alone.
Result<int64_t> token_head_bytes(const PageGeometry& g) {
  const FormatInfo& f = info(g.format);
  if (f.latent_only && g.cache != CacheKind::kLatent) {
    return does_not_fit(g.format, "a latent cache", "a separate one");
  }
  if (f.latent_only && f.fixed_head_dim != g.head_dim) {
    return does_not_fit(g.format, "head size " + pair_text(f.fixed_head_dim),
                        pair_text(g.head_dim));
  }
  Result<int64_t> k = row_bytes(g.format, g.head_dim.qk);
  if (!k || g.cache == CacheKind::kLatent) return k;
  Result<int64_t> v = row_bytes(g.format, g.head_dim.v);
  if (!v) return v;
  return *k + *v;
}

// The fixed rows of latent formats, as their engines write them: in line, the scales begin behind
// the quantised part, and unquantised RoPE values may follow them.
RowSplit split_latent(Format format, int64_t row) {
  switch (format) {
    case Format::kFp8DsMlaV32:
      return {512, row - 512, 0};
    case Format::kFp8DsMlaV4:
      return {576, 0, row - 576};
    case Format::kFp8DsMlaV41:
      return {512, 0, row - 512};
    default:  // nvfp4_ds_mla
      return {320, row - 320, 0};
  }
}

}  // namespace

RowSplit split_row(const FormatInfo& f, int32_t head_dim, int64_t row) {
  if (f.latent_only) return split_latent(f.format, row);
  const int64_t data = int64_t{head_dim} * f.bits / 8;
  switch (f.scales) {
    case ScaleKind::kInlineRow:
      return {data, row - data, 0};
    case ScaleKind::kBehindPage:
      return {data, 0, row - data};
    default:
      return {row, 0, 0};
  }
}

Result<int64_t> row_bytes(Format format, int32_t head_dim) {
  const FormatInfo& f = info(format);
  if (!f.byte_layout_known) {
    return does_not_fit(format, "a format whose bytes are known", "one that is known by name only");
  }
  if (head_dim < 1) {
    return does_not_fit(format, "a positive head size", std::to_string(head_dim));
  }
  if (f.latent_only) {
    if (head_dim == f.fixed_head_dim.qk) return int64_t{f.fixed_row_bytes};
    return does_not_fit(format, "head size " + std::to_string(f.fixed_head_dim.qk),
                        std::to_string(head_dim));
  }
  if (head_dim % f.head_dim_multiple != 0) {
    return does_not_fit(format,
                        "a head size that is a multiple of " + std::to_string(f.head_dim_multiple),
                        std::to_string(head_dim));
  }
  const int64_t groups = f.scale_group == 0 ? 0 : head_dim / f.scale_group;
  return int64_t{head_dim} * f.bits / 8 + groups + f.row_scale_bytes;
}

Result<int64_t> page_bytes(const PageGeometry& g) {
  if (g.kv_heads < 1 || g.block_size < 1) {
    return does_not_fit(
        g.format, "at least one KV head and a block of at least one token",
        std::to_string(g.kv_heads) + " heads, block " + std::to_string(g.block_size));
  }
  Result<int64_t> row = token_head_bytes(g);
  if (!row) return row;
  const int64_t rows = int64_t{g.kv_heads} * g.block_size;
  const int64_t multiple = info(g.format).page_multiple;
  if (rows > (std::numeric_limits<int64_t>::max() - multiple) / *row) {
    return does_not_fit(g.format, "a page of less than 2^63 bytes",
                        std::to_string(rows) + " rows of " + std::to_string(*row));
  }
  return (rows * *row + multiple - 1) / multiple * multiple;
}

Result<int64_t> row_alignment(const PageGeometry& g) {
  Result<int64_t> page = page_bytes(g);
  if (!page) return page;
  const int64_t k = *row_bytes(g.format, g.head_dim.qk);
  // Bits of all that separates a row from the page's beginning; the lowest bounds the alignment.
  int64_t distances = kPoolAlignment;
  const auto add_rows = [&](int32_t head_dim, int64_t row) {
    const RowSplit split = split_row(info(g.format), head_dim, row);
    distances |= split.data + split.inline_scales;
  };
  add_rows(g.head_dim.qk, k);
  if (g.cache == CacheKind::kSeparate) {
    add_rows(g.head_dim.v, *row_bytes(g.format, g.head_dim.v));
    distances |= k * g.kv_heads * g.block_size;  // V's rows begin behind K's side
  }
  return distances & -distances;
}

}  // namespace attnrt
