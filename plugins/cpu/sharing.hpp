// Which sequences of a batch begin with the same blocks: a pure function of lengths and tables.
//
// The tables alone decide. The batch's hint of a shared prefix is not needed: where nothing is
// shared, looking costs a sort of the sequences by one block each.
#pragma once

#include <cstdint>
#include <vector>

#include "ranges.hpp"

namespace attnrt::cpu {

struct BlockTables {
  const int32_t* entries;
  int64_t stride;
};

// Sequences whose keys before `end` are the same as far as each sees them. At least two; a sequence
// has one prefix at the most.
struct SharedPrefix {
  std::vector<int32_t> sequences;  // the one that sees the oldest key first
  int32_t end;                     // a multiple of the block size
};

// Query rows (tokens x query heads) of all sequences with a prefix, at the most: both they and the
// rest of their contexts leave partial results.
inline constexpr int64_t kMostSharedRows = 16384;

// Prefixes that are worth it: of at least kShortestRange keys, and the bytes that are not read
// again, those of the keys times the sequences but one an item, are more than those of the partial
// results that are written and read instead.
std::vector<SharedPrefix> find_shared(const LayerParams& layer,
                                      const std::vector<Lengths>& sequences,
                                      const BlockTables& tables);

}  // namespace attnrt::cpu
