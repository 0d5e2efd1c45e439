#include "tests/support/test_batch.hpp"

#include <algorithm>
#include <numeric>
#include <random>

namespace attnrt::testing {

TestBatch::TestBatch(std::vector<SequenceLengths> lengths, int32_t block_size, uint32_t seed)
    : lengths_(std::move(lengths)), block_size_(block_size) {
  q_start_.push_back(0);
  int32_t needed = 0;
  for (const SequenceLengths& l : lengths_) {
    q_start_.push_back(q_start_.back() + l.q);
    kv_len_.push_back(l.kv);
    const int32_t own = (l.kv + block_size - 1) / block_size;
    row_entries_ = std::max(row_entries_, own + 1);
    needed += own;
  }
  borrowed_.assign(lengths_.size(), 0);
  blocks_ = needed + 1;
  std::vector<int32_t> ids(static_cast<size_t>(blocks_));
  std::iota(ids.begin(), ids.end(), 0);
  std::shuffle(ids.begin(), ids.end(), std::mt19937(seed));

  auto next = ids.begin();
  for (const SequenceLengths& l : lengths_) {
    const int32_t own = (l.kv + block_size - 1) / block_size;
    table_.insert(table_.end(), next, next + own);
    table_.insert(table_.end(), static_cast<size_t>(row_entries_ - own), -1);
    next += own;
  }
  query_slots_ = slots(true);
}

int32_t TestBatch::keys() const {
  return std::accumulate(kv_len_.begin(), kv_len_.end(), 0);
}

int64_t TestBatch::slot(size_t sequence, int32_t position) const {
  const size_t entry =
      sequence * static_cast<size_t>(row_entries_) + static_cast<size_t>(position / block_size_);
  return int64_t{table_[entry]} * block_size_ + position % block_size_;
}

std::vector<int64_t> TestBatch::slots(bool queries_only) const {
  std::vector<int64_t> all;
  for (size_t n = 0; n < lengths_.size(); ++n) {
    const int32_t first = queries_only ? lengths_[n].kv - lengths_[n].q : 0;
    // A query without a key of its own (cross, or more queries than keys) appends nothing.
    for (int32_t p = first; p < lengths_[n].kv; ++p) {
      all.push_back(p < borrowed_[n] ? -1 : slot(n, p));
    }
  }
  return all;
}

std::vector<int64_t> TestBatch::key_slots() const {
  return slots(false);
}
std::vector<int64_t> TestBatch::query_slots() const {
  return query_slots_;
}

void TestBatch::share_prefix(size_t owner, size_t n, int32_t keys) {
  const auto row = [&](size_t i) {
    return table_.begin() + static_cast<int64_t>(i) * row_entries_;
  };
  std::copy_n(row(owner), keys / block_size_, row(n));
  borrowed_[n] = keys;
  query_slots_ = slots(true);
}

void TestBatch::set_prefix_lens(std::vector<int32_t> lens) {
  prefix_ = std::move(lens);
}

void TestBatch::set_tree(const std::vector<std::vector<bool>>& rows) {
  tree_.clear();
  tree_offset_.clear();
  size_t row = 0;
  for (const SequenceLengths& l : lengths_) {
    tree_offset_.push_back(static_cast<int64_t>(tree_.size()));
    for (int32_t i = 0; i < l.q; ++i, ++row) {
      std::vector<uint8_t> bytes(static_cast<size_t>((l.q + 7) / 8), 0);
      for (size_t j = 0; j < rows[row].size(); ++j) {
        if (rows[row][j]) bytes[j / 8] = static_cast<uint8_t>(bytes[j / 8] | (1U << (j % 8)));
      }
      tree_.insert(tree_.end(), bytes.begin(), bytes.end());
    }
  }
}

std::vector<int32_t> TestBatch::free_behind_window(int32_t window) {
  std::vector<int32_t> freed;
  for (size_t n = 0; n < lengths_.size(); ++n) {
    const int32_t first_key = std::max(0, lengths_[n].kv - lengths_[n].q - window + 1);
    for (int32_t entry = 0; entry < first_key / block_size_; ++entry) {
      int32_t& id = table_[n * static_cast<size_t>(row_entries_) + static_cast<size_t>(entry)];
      freed.push_back(id);
      id = -1;
    }
  }
  return freed;
}

attnrt_batch TestBatch::view() const {
  attnrt_batch b{};
  b.struct_size = sizeof(b);
  b.sequences = static_cast<int32_t>(lengths_.size());
  b.tokens = tokens();
  for (const SequenceLengths& l : lengths_) {
    b.max_q_len = std::max(b.max_q_len, l.q);
    b.max_kv_len = std::max<int64_t>(b.max_kv_len, l.kv);
  }
  b.q_start = {q_start_.data(), q_start_.data()};
  b.kv_len = {kv_len_.data(), kv_len_.data()};
  b.block_table = {table_.data(), table_.data()};
  b.block_table_stride = row_entries_;
  b.shared_prefix_len = hint_;
  if (!prefix_.empty()) b.prefix_len = {prefix_.data(), prefix_.data()};
  if (!tree_offset_.empty()) {
    b.tree_mask = {tree_.data(), tree_.data()};
    b.tree_offset = {tree_offset_.data(), tree_offset_.data()};
  }
  return b;
}

attnrt_bounds TestBatch::bounds() const {
  const attnrt_batch b = view();
  return {sizeof(attnrt_bounds), std::max(1, b.sequences), std::max(1, b.tokens),
          std::max(1, b.max_q_len), std::max<int64_t>(1, b.max_kv_len)};
}

}  // namespace attnrt::testing
