// What one call of attend has to do: bytes of KV that it must read, operations that it must make.
#pragma once

#include <cstdint>

#include "attnrt/bench.hpp"
#include "attnrt/format.hpp"

namespace attnrt::bench {

struct Work {
  double kv_bytes = 0;  // every visible key and value once, as stored, with its scales
  double flop = 0;  // 2 · qk for a score and 2 · v for its share of the output, a visible pair
};
Work work_of(const BenchShape& shape, Format kv, CacheKind cache);

// Query-key pairs that a causal mask lets through, of one head, all sequences together.
int64_t visible_pairs(const BenchShape& shape);

// The dtype of queries, outputs, and keys and values as they come: the format's own where it stores
// one, bf16 with formats of 8 and 4 bits.
DType query_dtype(const Spelling& spelling);

// Formats and head sizes of MLA live in a latent cache; everything else in two.
CacheKind cache_kind(const BenchShape& shape, const Spelling& spelling);

}  // namespace attnrt::bench
