#include "schedule.hpp"

namespace attnrt::cpu {
BatchSchedule::BatchSchedule(const attnrt_batch& b, const Layer& layer)
    : batch_{b.q_start.host,    b.kv_len.host,    b.block_table.host, b.block_table_stride,
             b.prefix_len.host, b.tree_mask.host, b.tree_offset.host},
      tokens_(b.tokens) {
  plugin::check_batch(b, layer.features);
  const std::vector<Lengths> lengths =
      plugin::lengths_of(b, layer.features, layer.params.block_size, b.block_table.host);
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
