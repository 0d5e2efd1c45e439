// Bytes of rows and pages: the memory calculator.
#include <limits>

#include "attnrt/format.hpp"
#include "format/nearest.hpp"

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

}  // namespace

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

}  // namespace attnrt
