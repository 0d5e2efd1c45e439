// Which sequences of a batch begin with the same blocks: for backends that read the keys of a
// shared prefix once for all of them (cascade) and merge the parts by their lse.
//
// Block tables alone decide. The batch's hint of a shared prefix is not needed: where nothing is
// shared, looking costs a sort of the sequences by one block each. Pure functions of host memory.
#ifndef ATTNRT_PLUGIN_SHARED_PREFIXES_HPP_
#define ATTNRT_PLUGIN_SHARED_PREFIXES_HPP_

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace attnrt::plugin {

// A sequence that could share.
struct PrefixCandidate {
  int32_t sequence;
  int32_t tokens;      // of the query
  int32_t first_key;   // that one of them sees
  int32_t keys;        // of the context
  const int32_t* row;  // of the block table
};

// What reading a prefix once costs and saves.
struct PrefixCosts {
  int32_t block_size;
  int32_t tile_rows;       // query rows of a KV head that read a key together
  int32_t rows_per_token;  // of those
  int64_t key_bytes;       // of a key, of all KV heads
  int64_t result_bytes;    // of a token's partial result, of all heads
  int32_t shortest;     // keys: a shorter prefix, or part of one, is not worth a result of its own
  int64_t most_tokens;  // of all sequences with a prefix
};

// Sequences whose keys before `end` are the same as far as each sees them. At least two; a sequence
// has one prefix at the most.
struct SharedPrefix {
  std::vector<int32_t> sequences;  // the one that sees the oldest key first
  int32_t end;                     // a multiple of the block size
};

// Candidates in the order of their tables from one column on, so that those with the same entries
// are neighbours: same_[i] columns are equal in i - 1 and i.
class PrefixSearch {
 public:
  PrefixSearch(const PrefixCosts& costs, const std::vector<PrefixCandidate>& all) : costs_(costs) {
    for (const PrefixCandidate& c : all) {
      const Member m{c, c.first_key / costs.block_size, c.keys / costs.block_size};
      if (m.begin < m.end) all_.push_back(m);
    }
    column_ = common_column();
    std::erase_if(all_, [&](const Member& m) { return m.begin > column_ || m.end <= column_; });
    std::stable_sort(all_.begin(), all_.end(), [&](const Member& a, const Member& b) {
      return std::lexicographical_compare(a.row() + column_, a.row() + a.end, b.row() + column_,
                                          b.row() + b.end);
    });
    for (size_t i = 0; i < all_.size(); ++i) same_.push_back(i == 0 ? 0 : equal_columns(i));
  }

  std::vector<SharedPrefix> find() const {
    std::vector<SharedPrefix> found;
    choose(0, all_.size(), found);
    return found;
  }

 private:
  struct Member {
    PrefixCandidate c;
    int32_t begin;  // the column of the first key that it sees
    int32_t end;    // behind the last column that its keys fill

    const int32_t* row() const { return c.row; }
  };

  // The column that most candidates see: 0 without a window.
  int32_t common_column() const {
    std::vector<int32_t> begins;
    std::vector<int32_t> ends;
    for (const Member& m : all_) {
      begins.push_back(m.begin);
      ends.push_back(m.end);
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

  int32_t equal_columns(size_t i) const {
    const Member& a = all_[i - 1];
    const Member& b = all_[i];
    const int32_t n = std::min(a.end, b.end) - column_;
    const int32_t* first = a.row() + column_;
    return static_cast<int32_t>(std::mismatch(first, first + n, b.row() + column_).first - first);
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
    const int32_t end = (column_ + shared) * costs_.block_size;
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
    std::vector<Member> run(all_.begin() + static_cast<int64_t>(first),
                            all_.begin() + static_cast<int64_t>(last));
    std::stable_sort(run.begin(), run.end(), [](const Member& a, const Member& b) {
      return a.c.first_key < b.c.first_key;
    });
    std::vector<int32_t> members;
    for (const Member& m : run) {
      const int32_t* oldest = run.front().row();
      if (std::equal(m.row() + m.begin, m.row() + column_, oldest + m.begin)) {
        members.push_back(m.c.sequence);
      }
    }
    return members;
  }

  int64_t saved_bytes(size_t first, size_t last, int32_t end) const {
    int64_t tokens = 0;
    int64_t keys = 0;
    int32_t oldest = end;
    for (size_t i = first; i < last; ++i) {
      tokens += all_[i].c.tokens;
      keys += end - all_[i].c.first_key;
      oldest = std::min(oldest, all_[i].c.first_key);
    }
    const int64_t range = end - oldest;
    if (range < costs_.shortest) return 0;
    const int64_t rows = tokens * costs_.rows_per_token;
    const int64_t tiles = (rows + costs_.tile_rows - 1) / costs_.tile_rows;
    const int64_t read = (keys - tiles * range) * costs_.key_bytes;
    // The rest's result, and those over parts of the prefix: each written once, read once.
    const int64_t results = 1 + (range + costs_.shortest - 1) / costs_.shortest;
    const int64_t merged = tokens * results * costs_.result_bytes * 2;
    return std::max<int64_t>(0, read - merged);
  }

  PrefixCosts costs_;
  std::vector<Member> all_;
  int32_t column_;
  std::vector<int32_t> same_;
};

// Prefixes that are worth it: of at least `shortest` keys, and the bytes that are not read again,
// those of the keys times the sequences but one a tile, are more than those of the partial results
// that are written and read instead.
inline std::vector<SharedPrefix> find_shared_prefixes(
    const PrefixCosts& costs, const std::vector<PrefixCandidate>& candidates) {
  if (candidates.size() < 2) return {};
  std::vector<SharedPrefix> found = PrefixSearch(costs, candidates).find();
  std::vector<int64_t> tokens_of;  // a sequence
  for (const PrefixCandidate& c : candidates) {
    const auto n = static_cast<size_t>(c.sequence);
    if (n >= tokens_of.size()) tokens_of.resize(n + 1);
    tokens_of[n] = c.tokens;
  }
  int64_t tokens = 0;
  const auto too_many = [&](int32_t sequence) {
    const int64_t more = tokens_of[static_cast<size_t>(sequence)];
    if (tokens + more > costs.most_tokens) return true;
    tokens += more;
    return false;
  };
  for (SharedPrefix& prefix : found) std::erase_if(prefix.sequences, too_many);
  std::erase_if(found, [](const SharedPrefix& prefix) { return prefix.sequences.size() < 2; });
  return found;
}

}  // namespace attnrt::plugin

#endif  // ATTNRT_PLUGIN_SHARED_PREFIXES_HPP_
