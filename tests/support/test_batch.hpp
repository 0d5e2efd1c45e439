// A batch with its block tables and slots: sequences of any lengths over blocks in shuffled order.
//
// Owns its arrays; views are valid as long as it lives and stays unchanged.
#pragma once

#include <cstdint>
#include <vector>

#include "attnrt/plugin.h"

namespace attnrt::testing {

struct SequenceLengths {
  int32_t q = 1;
  int32_t kv = 1;
};

class TestBatch {
 public:
  // Blocks are dealt from 0 … blocks() - 1 in an order that the seed fixes; one block is spare and
  // belongs to nobody. Entries of a table's row that no key needs hold -1.
  TestBatch(std::vector<SequenceLengths> lengths, int32_t block_size, uint32_t seed = 1);

  int32_t blocks() const { return blocks_; }
  int32_t tokens() const { return q_start_.back(); }
  int32_t keys() const;  // of all sequences
  const std::vector<SequenceLengths>& lengths() const { return lengths_; }

  // The slot of each key, sequence after sequence: to append whole contexts at once.
  std::vector<int64_t> key_slots() const;
  // The slots of the last q keys of each sequence: what a step appends.
  std::vector<int64_t> query_slots() const;

  // Sequence `n` uses the blocks of sequence `owner` for its first keys, a multiple of the block size:
  // nobody else writes them. hint: see attnrt_batch::shared_prefix_len.
  void share_prefix(size_t owner, size_t n, int32_t keys);
  void set_hint(int32_t shared_prefix_len) { hint_ = shared_prefix_len; }

  void set_prefix_lens(std::vector<int32_t> lens);
  // One row of q_len booleans a query, all sequences one after the other.
  void set_tree(const std::vector<std::vector<bool>>& rows);
  // Makes the table's entries invalid that lie wholly outside the window of a sequence's first
  // query, as if the engine had freed the blocks. Returns their ids.
  std::vector<int32_t> free_behind_window(int32_t window);

  attnrt_batch view() const;
  attnrt_bounds bounds() const;

 private:
  int64_t slot(size_t sequence, int32_t position) const;
  std::vector<int64_t> slots(bool queries_only) const;

  std::vector<SequenceLengths> lengths_;
  int32_t block_size_;
  int32_t blocks_ = 0;
  int32_t row_entries_ = 1;
  std::vector<int32_t> q_start_, kv_len_, table_, prefix_;
  std::vector<uint8_t> tree_;
  std::vector<int64_t> tree_offset_;
  std::vector<int64_t> query_slots_;
  std::vector<int32_t> borrowed_;  // keys at the front of a sequence that another one writes
  int32_t hint_ = 0;
};

}  // namespace attnrt::testing
