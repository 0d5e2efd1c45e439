// Which keys a query sees.
#pragma once

#include "schedule.hpp"

namespace attnrt::reference {

// Query i of the sequence and the key at a position.
inline bool is_visible(const Layer& layer, const Sequence& s, int32_t query, int64_t key) {
  const int64_t context = int64_t{s.kv_len} - s.q_len;
  const int64_t position = context + query;
  if (layer.has(ATTNRT_FEATURE_WINDOW) && key <= position - layer.c.window) return false;
  if (layer.has(ATTNRT_FEATURE_CAUSAL)) return key <= position;
  if (layer.has(ATTNRT_FEATURE_PREFIX_LM)) return key <= position || key < s.prefix_len;
  if (layer.has(ATTNRT_FEATURE_TREE_MASK)) {
    if (key < context) return true;
    const int64_t bit = key - context;
    const int64_t row_bytes = (s.q_len + 7) / 8;
    return ((s.tree[static_cast<size_t>(query * row_bytes + bit / 8)] >> (bit % 8)) & 1) != 0;
  }
  return true;  // non_causal, cross
}

}  // namespace attnrt::reference
