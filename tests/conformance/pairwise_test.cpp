#include "pairwise.hpp"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

namespace attnrt::conformance {
namespace {

using Pair = std::tuple<size_t, int32_t, size_t, int32_t>;

std::set<Pair> pairs_of(const std::vector<Row>& rows) {
  std::set<Pair> pairs;
  for (const Row& row : rows)
    for (size_t a = 0; a < row.size(); ++a)
      for (size_t b = a + 1; b < row.size(); ++b) pairs.insert({a, row[a], b, row[b]});
  return pairs;
}

int64_t all_pairs(const std::vector<int32_t>& sizes) {
  int64_t pairs = 0;
  for (size_t a = 0; a < sizes.size(); ++a)
    for (size_t b = a + 1; b < sizes.size(); ++b) pairs += int64_t{sizes[a]} * sizes[b];
  return pairs;
}

const Possible kEverything = [](const Row&) { return true; };

TEST(Pairwise, EveryPairStandsInSomeRow) {
  const std::vector<int32_t> sizes{7, 5, 3, 2, 2, 4, 1};
  const Covering covering = cover_pairs(sizes, kEverything);
  EXPECT_EQ(static_cast<int64_t>(pairs_of(covering.rows).size()), all_pairs(sizes));
  EXPECT_EQ(covering.pairs, all_pairs(sizes));
  EXPECT_EQ(covering.impossible_pairs, 0);
}

TEST(Pairwise, TakesFarFewerRowsThanTheProduct) {
  const Covering covering = cover_pairs({7, 5, 3, 2, 2, 4}, kEverything);
  EXPECT_GE(covering.rows.size(), 35u);  // the two largest axes alone need so many
  EXPECT_LE(covering.rows.size(), 50u);
}

TEST(Pairwise, NoRowIsImpossibleAndEveryPossiblePairIsThere) {
  // Value 2 of axis 0 goes with value 0 of axis 1 alone.
  const Possible possible = [](const Row& row) {
    return row[0] != 2 || row[1] == kOpen || row[1] == 0;
  };
  const std::vector<int32_t> sizes{3, 4, 3, 2};
  const Covering covering = cover_pairs(sizes, possible);
  for (const Row& row : covering.rows) EXPECT_TRUE(possible(row));
  EXPECT_EQ(covering.impossible_pairs, 3);
  EXPECT_EQ(static_cast<int64_t>(pairs_of(covering.rows).size()), all_pairs(sizes) - 3);
}

TEST(Pairwise, OneAxisGivesARow) {
  EXPECT_EQ(cover_pairs({1}, kEverything).rows.size(), 1u);
}

}  // namespace
}  // namespace attnrt::conformance
