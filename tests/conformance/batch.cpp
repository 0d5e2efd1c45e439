#include "batch.hpp"

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

namespace attnrt::conformance {
namespace {

struct Lengths {
  int32_t q;
  int32_t kv;
};

// Multiply-adds that one attend of a cell may cost: the oracle works in double precision.
constexpr int64_t kMaxWork = 4'000'000;
// Where shared keys are worth reading once for all who share them (cascade attention), if not
// before.
constexpr int32_t kSharedKeys = 288;

std::vector<Lengths> lengths_of(const Cell& c, std::mt19937& random) {
  const int32_t b = c.block_size;
  auto q = [&](int32_t wanted) {
    return c.op == Op::kDecode ? std::min(wanted, c.query_tokens) : wanted;
  };
  auto any = [&](int32_t low, int32_t high) {
    return std::uniform_int_distribution<int32_t>(low, high)(random);
  };
  const int32_t chunk = c.op == Op::kDecode ? c.query_tokens : 7;
  switch (c.batch) {
    case BatchShape::kSingleToken:
      return {{1, 1}};
    case BatchShape::kEmpty:
      return {};
    case BatchShape::kBlockEdges:
      return {
          {1, std::max(1, b - 1)}, {q(2), std::max(2, b)}, {q(2), b + 1}, {q(chunk), 3 * b + 7}};
    case BatchShape::kRagged:
      return {{q(3), any(5, 40)}, {0, any(1, 9)},       {1, 0}, {q(chunk), chunk}, {0, 0},
              {1, any(1, 70)},    {q(17), any(17, 90)}, {1, 1}};
    case BatchShape::kLongContext:
      return {{1, 3}, {q(2), 900 + any(0, 300)}, {1, 20}};
    case BatchShape::kSharedPrefix: {
      const int32_t shared = std::max(2 * b, (kSharedKeys + b - 1) / b * b);
      return {{1, shared + 1}, {q(2), shared + b + 3}, {q(chunk), shared + chunk}};
    }
  }
  return {};
}

// Shortens contexts, longest first, until the work is within bounds.
void fit(std::vector<Lengths>& lengths, const Cell& c) {
  const int64_t per_pair = int64_t{c.kv_heads} * c.group * (c.head_dim.qk + c.head_dim.v);
  auto work = [&] {
    int64_t sum = 0;
    for (const Lengths& l : lengths) sum += int64_t{l.q} * l.kv * per_pair;
    return sum;
  };
  while (work() > kMaxWork) {
    auto worst = std::max_element(lengths.begin(), lengths.end(), [](Lengths a, Lengths b) {
      return int64_t{a.q} * a.kv < int64_t{b.q} * b.kv;
    });
    const int32_t least =
        std::max(worst->q, c.batch == BatchShape::kSharedPrefix ? 2 * c.block_size + 1 : 1);
    const int32_t shorter = std::max(worst->kv * 3 / 4, least);
    if (shorter == worst->kv) {
      if (worst->q <= 1) return;
      worst->q = worst->q / 2;
    }
    worst->kv = shorter;
  }
}

// Every query sees itself and a random choice of the keys before it, as the branches of a tree do.
void add_tree(BatchData& batch, std::mt19937& random) {
  for (int32_t s = 0; s < batch.sequences(); ++s) {
    const int32_t q_len =
        batch.q_start[static_cast<size_t>(s) + 1] - batch.q_start[static_cast<size_t>(s)];
    batch.tree_offset.push_back(static_cast<int64_t>(batch.tree.size()));
    const auto row_bytes = static_cast<size_t>((q_len + 7) / 8);
    for (int32_t i = 0; i < q_len; ++i) {
      std::vector<uint8_t> row(row_bytes);
      for (int32_t j = 0; j <= i; ++j)
        if (j == i || random() % 3 != 0)
          row[static_cast<size_t>(j) / 8] =
              static_cast<uint8_t>(row[static_cast<size_t>(j) / 8] | (1u << (j % 8)));
      batch.tree.insert(batch.tree.end(), row.begin(), row.end());
    }
  }
  batch.tree.push_back(0xff);  // never empty, never read
}

void add_blocks(BatchData& batch, const Cell& c, std::mt19937& random) {
  const int32_t b = c.block_size;
  int32_t needed = 0;
  for (int32_t kv : batch.kv_len) needed += (kv + b - 1) / b;
  batch.blocks = needed + 3;  // some that no table names
  std::vector<int32_t> ids(static_cast<size_t>(batch.blocks));
  std::iota(ids.begin(), ids.end(), 0);
  std::shuffle(ids.begin(), ids.end(), random);
  batch.table_stride = (batch.max_kv_len() + b - 1) / b + 2;
  // Beyond kv_len: what an engine left there.
  batch.block_table.assign(static_cast<size_t>(batch.table_stride) * batch.kv_len.size(),
                           INT32_MAX);
  size_t next = 0;
  const int32_t shared_blocks = batch.shared_prefix / b;
  for (size_t s = 0; s < batch.kv_len.size(); ++s) {
    int32_t* row = batch.block_table.data() + s * static_cast<size_t>(batch.table_stride);
    for (int32_t i = 0; i < (batch.kv_len[s] + b - 1) / b; ++i)
      row[i] = s > 0 && i < shared_blocks ? batch.block_table[static_cast<size_t>(i)] : ids[next++];
  }
}

// Whole blocks before every sequence's last key, in keys.
int32_t common_prefix(const std::vector<int32_t>& kv_len, int32_t block_size) {
  const int32_t shortest = *std::min_element(kv_len.begin(), kv_len.end());
  return (shortest - 1) / block_size * block_size;
}

}  // namespace

int32_t BatchData::max_q_len() const {
  int32_t longest = 0;
  for (size_t s = 0; s < kv_len.size(); ++s)
    longest = std::max(longest, q_start[s + 1] - q_start[s]);
  return longest;
}

int64_t BatchData::max_kv_len() const {
  return kv_len.empty() ? 0 : *std::max_element(kv_len.begin(), kv_len.end());
}

std::vector<int64_t> BatchData::slots(int32_t block_size) const {
  std::vector<int64_t> slots;
  std::set<int64_t> taken;
  for (size_t s = 0; s < kv_len.size(); ++s) {
    for (int32_t t = 0; t < kv_len[s]; ++t) {
      const int64_t block =
          block_table[s * static_cast<size_t>(table_stride) + static_cast<size_t>(t / block_size)];
      const int64_t slot = block < 0 ? -1 : block * block_size + t % block_size;
      slots.push_back(slot >= 0 && taken.insert(slot).second ? slot : -1);
    }
  }
  return slots;
}

attnrt_batch BatchData::view() const {
  attnrt_batch b{};
  b.struct_size = sizeof b;
  b.sequences = sequences();
  b.tokens = tokens();
  b.max_q_len = max_q_len();
  b.max_kv_len = max_kv_len();
  b.q_start = {q_start.data(), q_start.data()};
  b.kv_len = {kv_len.data(), kv_len.data()};
  b.block_table = {block_table.data(), block_table.data()};
  b.block_table_stride = table_stride;
  if (!prefix_len.empty()) b.prefix_len = {prefix_len.data(), prefix_len.data()};
  if (!tree.empty()) {
    b.tree_mask = {tree.data(), tree.data()};
    b.tree_offset = {tree_offset.data(), tree_offset.data()};
  }
  b.shared_prefix_len = shared_prefix;
  return b;
}

BatchData BatchData::only(int32_t s) const {
  const auto i = static_cast<size_t>(s);
  BatchData one = *this;
  one.q_start = {0, q_start[i + 1] - q_start[i]};
  one.kv_len = {kv_len[i]};
  const auto row = block_table.begin() + static_cast<std::ptrdiff_t>(s * table_stride);
  one.block_table.assign(row, row + static_cast<std::ptrdiff_t>(table_stride));
  if (!prefix_len.empty()) one.prefix_len = {prefix_len[i]};
  if (!tree_offset.empty()) one.tree_offset = {tree_offset[i]};
  one.shared_prefix = 0;
  return one;
}

BatchData make_batch(const Cell& cell) {
  std::mt19937 random(cell.seed * 7919u + 17u);
  std::vector<Lengths> lengths = lengths_of(cell, random);
  if (cell.op == Op::kAppend)
    for (Lengths& l : lengths) l.q = 0;
  else
    fit(lengths, cell);
  BatchData batch;
  for (const Lengths& l : lengths) {
    batch.q_start.push_back(batch.q_start.back() + l.q);
    batch.kv_len.push_back(l.kv);
  }
  if (cell.batch == BatchShape::kSharedPrefix)
    batch.shared_prefix = common_prefix(batch.kv_len, cell.block_size);
  add_blocks(batch, cell, random);
  if (cell.features.contains(Feature::kWindow)) {
    const int32_t windows[] = {1, cell.block_size, 37, 5};
    batch.window = windows[random() % 4];
  }
  if (cell.features.contains(Feature::kPrefixLm))
    for (int32_t kv : batch.kv_len)
      batch.prefix_len.push_back(
          kv == 0 ? 0 : static_cast<int32_t>(random() % static_cast<uint32_t>(kv + 1)));
  if (cell.features.contains(Feature::kTreeMask)) add_tree(batch, random);
  return batch;
}

void free_unseen_blocks(BatchData& batch, const Cell& c) {
  if (!c.features.contains(Feature::kWindow)) return;
  for (size_t s = 0; s < batch.kv_len.size(); ++s) {
    const int32_t q_len = batch.q_start[s + 1] - batch.q_start[s];
    const int32_t first_seen = batch.kv_len[s] - q_len - batch.window + 1;
    int32_t* row = batch.block_table.data() + s * static_cast<size_t>(batch.table_stride);
    const int32_t unseen = q_len == 0 ? 0 : std::max(0, first_seen) / c.block_size;
    for (int32_t i = 0; i < unseen; ++i) row[i] = -1;
  }
}

}  // namespace attnrt::conformance
