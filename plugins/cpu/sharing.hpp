// Which sequences of a batch begin with the same blocks: a pure function of lengths and tables.
#pragma once

#include <attnrt/plugin/shared_prefixes.hpp>
#include <cstdint>

#include "ranges.hpp"

namespace attnrt::cpu {

using plugin::SharedPrefix;

struct BlockTables {
  const int32_t* entries;
  int64_t stride;
};

// Query rows (tokens x query heads) of all sequences with a prefix, at the most: both they and the
// rest of their contexts leave partial results.
inline constexpr int64_t kMostSharedRows = 16384;

// Prefixes of at least kShortestRange keys that are worth it.
std::vector<SharedPrefix> find_shared(const LayerParams& layer,
                                      const std::vector<Lengths>& sequences,
                                      const BlockTables& tables);

}  // namespace attnrt::cpu
