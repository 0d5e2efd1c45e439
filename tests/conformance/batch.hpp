// The batch of a cell: lengths, block tables, masks. Entries of the block table that must never be
// read hold ids that no cache has.
#pragma once

#include <cstdint>
#include <vector>

#include "attnrt/plugin.h"
#include "cell.hpp"

namespace attnrt::conformance {

struct BatchData {
  std::vector<int32_t> q_start{0};
  std::vector<int32_t> kv_len;
  std::vector<int32_t> block_table;  // [sequences, table_stride]
  int64_t table_stride = 1;
  int64_t blocks = 1;
  std::vector<int32_t> prefix_len;
  std::vector<uint8_t> tree;
  std::vector<int64_t> tree_offset;
  int32_t window = 0;  // with feature window
  int32_t shared_prefix = 0;

  int32_t sequences() const { return static_cast<int32_t>(kv_len.size()); }
  int32_t tokens() const { return q_start.back(); }
  int32_t max_q_len() const;
  int64_t max_kv_len() const;
  // Slot of every key of every sequence, in order; the batch's own appends, so that shared blocks
  // are written once: repeats are -1.
  std::vector<int64_t> slots(int32_t block_size) const;
  // Points into this object, which must outlive it.
  attnrt_batch view() const;
  // Sequence s alone, over the same blocks.
  BatchData only(int32_t s) const;
};

BatchData make_batch(const Cell& cell);

// Engines free the blocks that lie wholly outside every query's window: from here on their table
// entries are -1. Call it once the keys are stored.
void free_unseen_blocks(BatchData& batch, const Cell& cell);

}  // namespace attnrt::conformance
