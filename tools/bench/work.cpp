#include "bench/work.hpp"

namespace attnrt::bench {

int64_t visible_pairs(const BenchShape& shape) {
  const int64_t q = shape.q_len;
  const int64_t before = shape.kv_tokens() - shape.batch * q;  // all sequences' earlier keys
  return q * before + shape.batch * (q * (q + 1) / 2);
}

Work work_of(const BenchShape& shape, Format kv, CacheKind cache) {
  const Result<int64_t> k_row = row_bytes(kv, shape.head_dim.qk);
  const Result<int64_t> v_row = row_bytes(kv, shape.head_dim.v);
  int64_t token = k_row.ok() ? *k_row : 0;
  if (cache == CacheKind::kSeparate && v_row.ok()) token += *v_row;
  const double tokens = static_cast<double>(shape.kv_tokens()) * shape.kv_heads;
  const double pair = 2.0 * (shape.head_dim.qk + shape.head_dim.v);
  return {tokens * static_cast<double>(token),
          static_cast<double>(visible_pairs(shape)) * shape.q_heads * pair};
}

DType query_dtype(const Spelling& spelling) {
  if (spelling.kind != Spelling::Kind::kFormat) return DType::kBf16;
  if (spelling.format == Format::kF32) return DType::kF32;
  return spelling.format == Format::kF16 ? DType::kF16 : DType::kBf16;
}

CacheKind cache_kind(const BenchShape& shape, const Spelling& spelling) {
  const bool format =
      spelling.kind == Spelling::Kind::kFp8DsMla ||
      (spelling.kind == Spelling::Kind::kFormat && info(spelling.format).latent_only);
  const bool sizes = shape.head_dim.qk > shape.head_dim.v && shape.kv_heads == 1;
  return format || sizes ? CacheKind::kLatent : CacheKind::kSeparate;
}

}  // namespace attnrt::bench
