#include "schedule.hpp"

#include <algorithm>

namespace attnrt::reference {
namespace {

using plugin::require;

std::vector<uint8_t> copy_tree(const attnrt_batch& b, int32_t n, int32_t q_len) {
  const uint8_t* rows = b.tree_mask.host + b.tree_offset.host[n];
  return {rows, rows + int64_t{q_len} * ((q_len + 7) / 8)};
}

// Entries of the table that are never used, those of freed blocks, are not even looked at.
std::vector<int32_t> copy_blocks(const attnrt_batch& b, const Layer& layer, int32_t n,
                                 const Sequence& s) {
  if (s.kv_len <= s.first_key || s.q_len == 0) return {};
  require(b.block_table.host != nullptr, "block_table.host is null");
  const int64_t first = s.first_key / layer.c.block_size;
  const int64_t last = (s.kv_len - 1) / layer.c.block_size;
  require(last < b.block_table_stride, "kv_len of sequence ", n, " is ", s.kv_len,
          ", its row of the block table has ", b.block_table_stride, " entries");
  const int32_t* row = b.block_table.host + n * b.block_table_stride;
  return {row + first, row + last + 1};
}

}  // namespace

BatchSchedule::BatchSchedule(const attnrt_batch& batch, const Layer& layer)
    : tokens_(batch.tokens) {
  plugin::check_batch(batch, layer.c.features);
  sequences_.reserve(static_cast<size_t>(batch.sequences));
  for (int32_t n = 0; n < batch.sequences; ++n) add_sequence(batch, layer, n);
}

void BatchSchedule::add_sequence(const attnrt_batch& b, const Layer& layer, int32_t n) {
  Sequence s{};
  s.first_token = b.q_start.host[n];
  s.q_len = b.q_start.host[n + 1] - s.first_token;
  s.kv_len = b.kv_len.host[n];
  require(s.q_len >= 0 && s.kv_len >= 0, "sequence ", n, " has ", s.q_len, " query tokens and ",
          s.kv_len, " keys");
  if (layer.has(ATTNRT_FEATURE_PREFIX_LM)) s.prefix_len = b.prefix_len.host[n];
  if (layer.has(ATTNRT_FEATURE_TREE_MASK)) s.tree = copy_tree(b, n, s.q_len);
  if (layer.has(ATTNRT_FEATURE_WINDOW)) {
    const int64_t oldest_query = int64_t{s.kv_len} - s.q_len;
    s.first_key = std::max<int64_t>(0, oldest_query - layer.c.window + 1);
  }
  s.blocks = copy_blocks(b, layer, n, s);
  for (int32_t q = 0; q < s.q_len; q += kTileQueries) {
    tiles_.push_back({n, q, std::min(kTileQueries, s.q_len - q)});
  }
  sequences_.push_back(std::move(s));
}

}  // namespace attnrt::reference
