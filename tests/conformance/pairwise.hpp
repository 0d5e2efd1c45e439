// A covering array: rows that together hold every pair of values of every two axes.
//
// Greedy and deterministic (as AETG: Cohen et al., "The AETG system", IEEE TSE 23(7), 1997): each
// row starts at a pair that is not covered yet and takes, axis by axis, the value that covers most.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace attnrt::conformance {

// One value an axis; kOpen while a row is being built.
using Row = std::vector<int32_t>;
inline constexpr int32_t kOpen = -1;

// Whether a row, in which some axes may be open, can still be run.
using Possible = std::function<bool(const Row&)>;

struct Covering {
  std::vector<Row> rows;
  int64_t pairs = 0;             // that the rows cover
  int64_t impossible_pairs = 0;  // that no possible row has
};

// sizes[a]: how many values axis a has, at least 1.
Covering cover_pairs(const std::vector<int32_t>& sizes, const Possible& possible);

}  // namespace attnrt::conformance
