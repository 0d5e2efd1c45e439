#include "schedule.hpp"

namespace attnrt::cpu {
namespace {

using plugin::require;

void check_batch(const attnrt_batch& b, const Layer& layer) {
  require(b.sequences >= 0 && b.tokens >= 0, "sequences is ", b.sequences, " and tokens ",
          b.tokens);
  if (b.sequences == 0) {
    require(b.tokens == 0, "tokens is ", b.tokens, " without a sequence");
    return;
  }
  require(b.q_start.host != nullptr && b.kv_len.host != nullptr,
          "q_start.host or kv_len.host is null; device_lengths is not in the manifest");
  require(b.q_start.host[0] == 0 && b.q_start.host[b.sequences] == b.tokens,
          "q_start does not run from 0 to tokens, ", b.tokens);
  require(!layer.has(ATTNRT_FEATURE_PREFIX_LM) || b.prefix_len.host != nullptr,
          "prefix_len.host is null with feature prefix_lm");
  require(!layer.has(ATTNRT_FEATURE_TREE_MASK) ||
              (b.tree_mask.host != nullptr && b.tree_offset.host != nullptr),
          "tree_mask.host or tree_offset.host is null with feature tree_mask");
}

std::vector<Lengths> lengths_of(const attnrt_batch& b, const Layer& layer) {
  std::vector<Lengths> all;
  all.reserve(static_cast<size_t>(b.sequences));
  const bool prefix = layer.has(ATTNRT_FEATURE_PREFIX_LM);
  for (int32_t n = 0; n < b.sequences; ++n) {
    const Lengths s{b.q_start.host[n + 1] - b.q_start.host[n], b.kv_len.host[n],
                    prefix ? b.prefix_len.host[n] : 0};
    require(s.q >= 0 && s.kv >= 0 && s.prefix >= 0, "sequence ", n, " has ", s.q, " query tokens, ",
            s.kv, " keys and a prefix of ", s.prefix);
    const int64_t capacity = b.block_table_stride * layer.params.block_size;
    require(s.q == 0 || s.kv == 0 || (b.block_table.host != nullptr && s.kv <= capacity),
            "sequence ", n, " has ", s.kv, " keys, its row of the block table holds ", capacity);
    all.push_back(s);
  }
  return all;
}

}  // namespace

BatchSchedule::BatchSchedule(const attnrt_batch& b, const Layer& layer)
    : batch_{b.q_start.host,    b.kv_len.host,    b.block_table.host, b.block_table_stride,
             b.prefix_len.host, b.tree_mask.host, b.tree_offset.host},
      tokens_(b.tokens) {
  check_batch(b, layer);
  const std::vector<Lengths> lengths = lengths_of(b, layer);
  // Who shares a prefix is something else in the batch.
  const bool invariant = layer.has(ATTNRT_FEATURE_BATCH_INVARIANT);
  std::vector<SharedPrefix> prefixes;
  if (!invariant) {
    prefixes = find_shared(layer.params, lengths, {b.block_table.host, b.block_table_stride});
  }
  division_ = divide(layer.params, lengths, invariant, prefixes);
  done_ = std::make_unique<std::atomic<int32_t>[]>(division_.units.size());
}

}  // namespace attnrt::cpu
