#include "sharing.hpp"

#include "division.hpp"
#include "kernels/cuda/layout.hpp"

namespace attnrt::cuda {
namespace {

// 2048 units of 128 columns leave 28 MB of parts.
constexpr int32_t kMostSharedUnits = 2048;
// Keys: fewer are not worth a part of their own, and its merging.
constexpr int32_t kShortest = 256;

int64_t key_bytes(const Layer& layer) {
  const int32_t row = row_bytes(layer.format, layer.dim_qk) +
                      (layer.latent ? 0 : row_bytes(layer.format, layer.dim_v));
  return int64_t{row} * layer.kv_heads;
}

// Two such sequences fit a block.
bool may_share(const Layer& layer, int64_t q_len) {
  return 2 * q_len * layer.group <= kWarpRows;
}

}  // namespace

int32_t most_shared_units(const Layer& layer) {
  return may_share(layer, 1) ? kMostSharedUnits : 0;
}

std::vector<plugin::SharedPrefix> find_shared(const Layer& layer,
                                              const std::vector<plugin::Lengths>& sequences,
                                              const attnrt_batch& batch) {
  if (most_shared_units(layer) == 0 || batch.block_table.host == nullptr) return {};
  std::vector<plugin::PrefixCandidate> candidates;
  for (size_t n = 0; n < sequences.size(); ++n) {
    const plugin::Lengths& s = sequences[n];
    if (s.q == 0 || !may_share(layer, s.q)) continue;
    const int32_t first_key = visible_keys(layer, s, 0, s.q - 1).begin;
    candidates.push_back(
        {static_cast<int32_t>(n), s.q, first_key, s.kv,
         batch.block_table.host + static_cast<int64_t>(n) * batch.block_table_stride});
  }
  plugin::PrefixCosts costs{};
  costs.block_size = layer.block_size;
  costs.tile_rows = kWarpRows;
  costs.rows_per_token = layer.group;
  costs.key_bytes = key_bytes(layer);
  costs.result_bytes =
      int64_t{layer.q_heads()} * partial_width(layer.dim_v) * static_cast<int64_t>(sizeof(float));
  costs.shortest = kShortest;
  costs.most_tokens = kMostSharedUnits / layer.kv_heads;
  return plugin::find_shared_prefixes(costs, candidates);
}

}  // namespace attnrt::cuda
