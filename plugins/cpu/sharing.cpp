#include "sharing.hpp"

namespace attnrt::cpu {
namespace {

int64_t bytes_of_key(const LayerParams& layer) {
  const int64_t values = layer.latent != 0 ? layer.dim_qk : layer.dim_qk + layer.dim_v;
  if (has_block_scales(layer.format) || is_rotated(layer.format))
    return values * layer.kv_heads / 2;
  if (layer.format == Format::kF32) return 4 * values * layer.kv_heads;
  const bool wide = layer.format == Format::kF16 || layer.format == Format::kBf16;
  return (wide ? 2 : 1) * values * layer.kv_heads;
}

}  // namespace

std::vector<SharedPrefix> find_shared(const LayerParams& layer,
                                      const std::vector<Lengths>& sequences,
                                      const BlockTables& tables) {
  if (sequences.size() < 2 || tables.entries == nullptr) return {};
  std::vector<plugin::PrefixCandidate> candidates;
  for (size_t n = 0; n < sequences.size(); ++n) {
    const Lengths& s = sequences[n];
    // Long queries fill items by themselves.
    if (s.q == 0 || 2 * s.q > query_tile(layer)) continue;
    candidates.push_back({static_cast<int32_t>(n), s.q, visible_keys(layer, s, 0, s.q).begin, s.kv,
                          tables.entries + static_cast<int64_t>(n) * tables.stride});
  }
  plugin::PrefixCosts costs{};
  costs.block_size = layer.block_size;
  costs.tile_rows = query_tile(layer);
  costs.rows_per_token = 1;
  costs.key_bytes = bytes_of_key(layer);
  costs.result_bytes = layer.q_heads * row_floats(layer) * 4;
  costs.shortest = kShortestRange;
  costs.most_tokens = kMostSharedRows / layer.q_heads;
  return plugin::find_shared_prefixes(costs, candidates);
}

}  // namespace attnrt::cpu
