#include "sharing.hpp"

#include <algorithm>

namespace attnrt::cpu {
namespace {

// A sequence that could share; columns are those of its row of the block table.
struct Candidate {
  int32_t sequence;
  int32_t tokens;
  int32_t first_key;  // that it sees
  int32_t begin;      // the first key's column
  int32_t end;        // behind the last column that its keys fill
  const int32_t* row;
};

// Long queries fill items by themselves.
std::vector<Candidate> list_candidates(const LayerParams& layer,
                                       const std::vector<Lengths>& sequences,
                                       const BlockTables& tables) {
  std::vector<Candidate> all;
  for (size_t n = 0; n < sequences.size(); ++n) {
    const Lengths& s = sequences[n];
    if (s.q == 0 || 2 * s.q > query_tile(layer)) continue;
    const int32_t first = visible_keys(layer, s, 0, s.q).begin;
    const Candidate c{static_cast<int32_t>(n),
                      s.q,
                      first,
                      first / layer.block_size,
                      s.kv / layer.block_size,
                      tables.entries + static_cast<int64_t>(n) * tables.stride};
    if (c.begin < c.end) all.push_back(c);
  }
  return all;
}

// The column that most candidates see: 0 without a window.
int32_t common_column(const std::vector<Candidate>& all) {
  std::vector<int32_t> begins;
  std::vector<int32_t> ends;
  for (const Candidate& c : all) {
    begins.push_back(c.begin);
    ends.push_back(c.end);
  }
  std::sort(begins.begin(), begins.end());
  std::sort(ends.begin(), ends.end());
  int32_t best = 0;
  size_t most = 0;
  size_t ended = 0;
  for (size_t begun = 1; begun <= begins.size(); ++begun) {
    const int32_t column = begins[begun - 1];
    while (ended < ends.size() && ends[ended] <= column) ++ended;
    if (begun - ended <= most) continue;
    most = begun - ended;
    best = column;
  }
  return best;
}

int64_t bytes_of_key(const LayerParams& layer) {
  const int64_t values = layer.latent != 0 ? layer.dim_qk : layer.dim_qk + layer.dim_v;
  if (has_block_scales(layer.format) || is_rotated(layer.format))
    return values * layer.kv_heads / 2;
  if (layer.format == Format::kF32) return 4 * values * layer.kv_heads;
  const bool wide = layer.format == Format::kF16 || layer.format == Format::kBf16;
  return (wide ? 2 : 1) * values * layer.kv_heads;
}

// Candidates in the order of their tables from one column on, so that those with the same entries
// are neighbours: same[i] columns are equal in i - 1 and i.
class Search {
 public:
  Search(const LayerParams& layer, std::vector<Candidate> all)
      : layer_(layer), all_(std::move(all)) {
    column_ = common_column(all_);
    std::erase_if(all_, [&](const Candidate& c) { return c.begin > column_ || c.end <= column_; });
    std::stable_sort(all_.begin(), all_.end(), [&](const Candidate& a, const Candidate& b) {
      return std::lexicographical_compare(a.row + column_, a.row + a.end, b.row + column_,
                                          b.row + b.end);
    });
    for (size_t i = 0; i < all_.size(); ++i) same_.push_back(i == 0 ? 0 : equal_columns(i));
  }

  std::vector<SharedPrefix> find() const {
    std::vector<SharedPrefix> found;
    choose(0, all_.size(), found);
    return found;
  }

 private:
  int32_t equal_columns(size_t i) const {
    const Candidate& a = all_[i - 1];
    const Candidate& b = all_[i];
    const int32_t n = std::min(a.end, b.end) - column_;
    const int32_t* first = a.row + column_;
    return static_cast<int32_t>(std::mismatch(first, first + n, b.row + column_).first - first);
  }

  // Appends the best choice of prefixes for the candidates [first, last): one for all of them, or
  // those of the runs that share more. Returns the bytes saved.
  int64_t choose(size_t first, size_t last, std::vector<SharedPrefix>& found) const {
    if (last - first < 2) return 0;
    const int32_t shared = *std::min_element(same_.begin() + static_cast<int64_t>(first) + 1,
                                             same_.begin() + static_cast<int64_t>(last));
    const size_t before = found.size();
    int64_t saved_by_runs = 0;
    size_t run = first;
    for (size_t i = first + 1; i <= last; ++i) {
      if (i < last && same_[i] > shared) continue;
      saved_by_runs += choose(run, i, found);
      run = i;
    }
    const int32_t end = (column_ + shared) * layer_.block_size;
    const int64_t saved = saved_bytes(first, last, end);
    if (saved <= saved_by_runs) return saved_by_runs;
    std::vector<int32_t> members = members_of(first, last);
    if (members.size() < 2) return saved_by_runs;
    found.resize(before);
    found.push_back({std::move(members), end});
    return saved;
  }

  // What stands before the common column has not been compared yet: who differs there stays away.
  std::vector<int32_t> members_of(size_t first, size_t last) const {
    std::vector<Candidate> run(all_.begin() + static_cast<int64_t>(first),
                               all_.begin() + static_cast<int64_t>(last));
    std::stable_sort(run.begin(), run.end(), [](const Candidate& a, const Candidate& b) {
      return a.first_key < b.first_key;
    });
    std::vector<int32_t> members;
    for (const Candidate& c : run) {
      const int32_t* oldest = run.front().row;
      if (std::equal(c.row + c.begin, c.row + column_, oldest + c.begin)) {
        members.push_back(c.sequence);
      }
    }
    return members;
  }

  int64_t saved_bytes(size_t first, size_t last, int32_t end) const {
    int64_t tokens = 0;
    int64_t keys = 0;
    int32_t oldest = end;
    for (size_t i = first; i < last; ++i) {
      tokens += all_[i].tokens;
      keys += end - all_[i].first_key;
      oldest = std::min(oldest, all_[i].first_key);
    }
    const int64_t range = end - oldest;
    if (range < kShortestRange) return 0;
    const int64_t tiles = (tokens + query_tile(layer_) - 1) / query_tile(layer_);
    const int64_t read = (keys - tiles * range) * bytes_of_key(layer_);
    // The rest's result, and those over parts of the prefix: each written once, read once.
    const int64_t results = 1 + (range + kShortestRange - 1) / kShortestRange;
    const int64_t merged = tokens * layer_.q_heads * results * row_floats(layer_) * 4 * 2;
    return std::max<int64_t>(0, read - merged);
  }

  const LayerParams& layer_;
  std::vector<Candidate> all_;
  int32_t column_;
  std::vector<int32_t> same_;
};

}  // namespace

std::vector<SharedPrefix> find_shared(const LayerParams& layer,
                                      const std::vector<Lengths>& sequences,
                                      const BlockTables& tables) {
  if (sequences.size() < 2 || tables.entries == nullptr) return {};
  std::vector<SharedPrefix> found = Search(layer, list_candidates(layer, sequences, tables)).find();
  int64_t rows = 0;
  for (SharedPrefix& prefix : found) {
    std::erase_if(prefix.sequences, [&](int32_t n) {
      const int64_t more = int64_t{sequences[static_cast<size_t>(n)].q} * layer.q_heads;
      if (rows + more > kMostSharedRows) return true;
      rows += more;
      return false;
    });
  }
  std::erase_if(found, [](const SharedPrefix& prefix) { return prefix.sequences.size() < 2; });
  return found;
}

}  // namespace attnrt::cpu
