#include "pairwise.hpp"

#include <algorithm>
#include <cassert>

namespace attnrt::conformance {
namespace {

// Which pairs are covered: one flag for each (axis a, value, axis b, value), a < b.
class PairTable {
 public:
  explicit PairTable(const std::vector<int32_t>& sizes) : sizes_(sizes), first_(sizes.size()) {
    for (size_t a = 0; a < sizes.size(); ++a) {
      first_[a] = values_;
      values_ += sizes[a];
    }
    open_.assign(static_cast<size_t>(values_) * static_cast<size_t>(values_), 0);
    for (size_t a = 0; a < sizes.size(); ++a)
      for (size_t b = a + 1; b < sizes.size(); ++b)
        for (int32_t x = 0; x < sizes[a]; ++x)
          for (int32_t y = 0; y < sizes[b]; ++y) open_[index(a, x, b, y)] = 1;
  }

  bool open(size_t a, int32_t x, size_t b, int32_t y) const { return open_[index(a, x, b, y)]; }
  // True if the pair was open.
  bool close(size_t a, int32_t x, size_t b, int32_t y) {
    char& flag = open_[index(a, x, b, y)];
    const bool was = flag;
    flag = 0;
    return was;
  }

  // How many open pairs a value would cover with the values that the row has.
  int32_t gain(const Row& row, size_t axis, int32_t value) const {
    int32_t sum = 0;
    for (size_t b = 0; b < row.size(); ++b)
      if (b != axis && row[b] != kOpen) sum += open(axis, value, b, row[b]);
    return sum;
  }

 private:
  size_t index(size_t a, int32_t x, size_t b, int32_t y) const {
    if (a > b) return index(b, y, a, x);
    return static_cast<size_t>(first_[a] + x) * static_cast<size_t>(values_) +
           static_cast<size_t>(first_[b] + y);
  }

  std::vector<int32_t> sizes_;
  std::vector<int32_t> first_;
  int32_t values_ = 0;
  std::vector<char> open_;
};

// Fills the open axes from `axis` on, the most useful values first, going back where a choice
// leaves nothing possible. The budget bounds the search; running out counts as impossible.
bool complete(Row& row, size_t axis, const std::vector<int32_t>& sizes, const PairTable& table,
              const Possible& possible, int& budget) {
  while (axis < row.size() && row[axis] != kOpen) ++axis;
  if (axis == row.size()) return true;
  std::vector<std::pair<int32_t, int32_t>> choices;  // (-gain, value)
  for (int32_t v = 0; v < sizes[axis]; ++v) choices.emplace_back(-table.gain(row, axis, v), v);
  std::stable_sort(choices.begin(), choices.end());
  for (const auto& [gain, value] : choices) {
    if (--budget < 0) break;
    row[axis] = value;
    if (possible(row) && complete(row, axis + 1, sizes, table, possible, budget)) return true;
  }
  row[axis] = kOpen;
  return false;
}

}  // namespace

Covering cover_pairs(const std::vector<int32_t>& sizes, const Possible& possible) {
  Covering result;
  PairTable table(sizes);
  const size_t axes = sizes.size();
  auto take = [&](const Row& row) {
    for (size_t a = 0; a < axes; ++a)
      for (size_t b = a + 1; b < axes; ++b) result.pairs += table.close(a, row[a], b, row[b]);
    result.rows.push_back(row);
  };
  for (size_t a = 0; a < axes; ++a) {
    for (size_t b = a + 1; b < axes; ++b) {
      for (int32_t x = 0; x < sizes[a]; ++x) {
        for (int32_t y = 0; y < sizes[b]; ++y) {
          if (!table.open(a, x, b, y)) continue;
          Row row(axes, kOpen);
          row[a] = x;
          row[b] = y;
          int budget = 20000;
          if (possible(row) && complete(row, 0, sizes, table, possible, budget)) {
            take(row);
          } else {
            table.close(a, x, b, y);
            ++result.impossible_pairs;
          }
        }
      }
    }
  }
  if (result.rows.empty()) {  // fewer than two axes with values: one row of what there is
    Row row(axes, kOpen);
    int budget = 20000;
    if (complete(row, 0, sizes, table, possible, budget)) result.rows.push_back(row);
  }
  return result;
}

}  // namespace attnrt::conformance
