// Which sequences share a prefix, found in block tables, and the division that reads it once.
#include "plugins/cpu/sharing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "plugins/cpu/division.hpp"

namespace attnrt::cpu {
namespace {

constexpr int32_t kBlock = 16;

LayerParams layer_with(int32_t kv_heads, int32_t group) {
  LayerParams p{};
  p.format = Format::kBf16;
  p.mask = MaskKind::kCausal;
  p.q_heads = kv_heads * group;
  p.kv_heads = kv_heads;
  p.group = group;
  p.dim_qk = p.dim_v = 128;
  p.block_size = kBlock;
  p.heads_together = 1;
  return p;
}

// Rows of block tables: sequences of a family have equal entries up to `shared` keys.
struct Batch {
  std::vector<Lengths> lengths;
  std::vector<int32_t> table;
  int64_t stride = 1024;
  int32_t next = 0;

  void add(int32_t q, int32_t kv, int32_t like = -1, int32_t shared = 0) {
    lengths.push_back({q, kv, 0});
    const size_t first = table.size();
    table.resize(first + static_cast<size_t>(stride), -7);
    for (int32_t c = 0; c < (kv + kBlock - 1) / kBlock; ++c) {
      const auto column = static_cast<size_t>(c);
      const bool same = c < shared / kBlock;
      table[first + column] = same ? table[static_cast<size_t>(like * stride) + column] : next++;
    }
  }
  std::vector<SharedPrefix> find(const LayerParams& layer) const {
    return find_shared(layer, lengths, {table.data(), stride});
  }
};

std::vector<int32_t> sorted(std::vector<int32_t> all) {
  std::sort(all.begin(), all.end());
  return all;
}

TEST(Sharing, NothingIsSharedByTablesThatDiffer) {
  Batch b;
  for (int i = 0; i < 20; ++i) b.add(1, 5000);
  EXPECT_TRUE(b.find(layer_with(8, 4)).empty());
  EXPECT_TRUE(Batch().find(layer_with(8, 4)).empty());
}

TEST(Sharing, OfAllEndsWhereTheFirstOneDiffers) {
  Batch b;
  b.add(1, 5000);
  b.add(3, 4200, 0, 4096);
  b.add(1, 9000, 0, 4500);
  const auto found = b.find(layer_with(8, 4));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].end, 4096);
  EXPECT_EQ(sorted(found[0].sequences), (std::vector<int32_t>{0, 1, 2}));
}

TEST(Sharing, GroupsOfManyKeysGoBeforeOneOfFew) {
  Batch b;
  for (int group = 0; group < 3; ++group) {
    const int32_t first = 4 * group;
    if (group == 0) b.add(1, 4000);
    if (group > 0) b.add(1, 4000, 0, 512);
    for (int i = 1; i < 4; ++i) b.add(1, 4000, first, 3200);
  }
  const auto found = b.find(layer_with(8, 4));
  ASSERT_EQ(found.size(), 3U);
  for (const SharedPrefix& p : found) {
    EXPECT_EQ(p.end, 3200);
    EXPECT_EQ(p.sequences.size(), 4U);
  }
}

TEST(Sharing, OneOfManySequencesGoesBeforePairs) {
  Batch b;
  b.add(1, 4000);
  for (int i = 1; i < 16; ++i) b.add(1, 4000, i % 2 == 0 ? 0 : i - 1, i % 2 == 0 ? 3200 : 3300);
  const auto found = b.find(layer_with(8, 4));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].end, 3200);
  EXPECT_EQ(found[0].sequences.size(), 16U);
}

TEST(Sharing, OnlyWhereItSaves) {
  Batch brief;
  Batch enough;
  Batch two;
  brief.add(1, 1000);
  enough.add(1, 1000);
  two.add(1, 1000);
  for (int i = 0; i < 3; ++i) brief.add(1, 1000, 0, 240);
  for (int i = 0; i < 3; ++i) enough.add(1, 1000, 0, 256);
  two.add(1, 1000, 0, 512);
  EXPECT_TRUE(brief.find(layer_with(8, 4)).empty());
  EXPECT_FALSE(enough.find(layer_with(8, 4)).empty());
  EXPECT_FALSE(two.find(layer_with(8, 4)).empty());
  // One KV head of 64 query heads: results of rows outweigh keys.
  EXPECT_TRUE(two.find(layer_with(1, 64)).empty());
  // An item holds one token.
  EXPECT_TRUE(two.find(layer_with(1, 128)).empty());
}

TEST(Sharing, LongQueriesFillItemsAlone) {
  Batch b;
  b.add(17, 2000);
  b.add(17, 2000, 0, 1024);
  b.add(0, 2000, 0, 1024);
  EXPECT_TRUE(b.find(layer_with(8, 4)).empty());
  b.add(16, 2000, 0, 1024);
  EXPECT_TRUE(b.find(layer_with(8, 4)).empty());
  b.add(4, 2000, 0, 1024);
  const auto found = b.find(layer_with(8, 4));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(sorted(found[0].sequences), (std::vector<int32_t>{3, 4}));
}

TEST(Sharing, WindowsSeeThePrefixFromTheirOwnKeyOn) {
  LayerParams layer = layer_with(8, 4);
  layer.window = 1024;
  Batch b;
  b.add(1, 2100);
  b.add(1, 2200, 0, 2048);
  b.add(1, 2050, 0, 2048);
  b.add(1, 9000, 0, 2048);  // has left it behind
  // Freed blocks: whatever their entries say.
  for (int n = 0; n < 4; ++n) {
    const int32_t first = (b.lengths[static_cast<size_t>(n)].kv - 1024) / kBlock;
    for (int c = 0; c < first; ++c) b.table[static_cast<size_t>(n * b.stride + c)] = -1 - n;
  }
  const auto found = b.find(layer);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].end, 2048);
  EXPECT_EQ(found[0].sequences, (std::vector<int32_t>{2, 0, 1}));
  // The oldest visible entry differs: that sequence stays away.
  b.table[static_cast<size_t>((2100 - 1024) / kBlock)] = 12345;
  const auto others = b.find(layer);
  ASSERT_EQ(others.size(), 1U);
  EXPECT_EQ(others[0].sequences, (std::vector<int32_t>{2, 1}));
}

TEST(Sharing, PartialResultsStayWithinTheirLimit) {
  Batch b;
  b.stride = 64;
  b.add(1, 600);
  for (int i = 0; i < 700; ++i) b.add(1, 600, 0, 512);
  const auto found = b.find(layer_with(8, 4));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(static_cast<int64_t>(found[0].sequences.size()) * 32, kMostSharedRows);
}

// Every pair of a query row and a key is in one item, shared keys in one of several sequences.
void expect_complete(const LayerParams& layer, const Batch& b) {
  const std::vector<SharedPrefix> prefixes = b.find(layer);
  ASSERT_FALSE(prefixes.empty());
  const Division d = divide(layer, b.lengths, false, prefixes);
  using Row = std::tuple<int32_t, int32_t, int32_t>;  // sequence, KV head, query
  std::map<Row, std::vector<std::pair<int32_t, int32_t>>> ranges;
  for (const WorkItem& item : d.items) {
    const QueryRows& q = item.rows;
    EXPECT_LE(q.kv_heads * q.q_count * layer.group, kMaxRows);
    for (int32_t h = q.kv_head; h < q.kv_head + q.kv_heads; ++h) {
      for (int32_t i = q.q_begin; i < q.q_begin + q.q_count; ++i) {
        const TokenPlace at =
            q.shared != 0 ? d.shared_tokens[static_cast<size_t>(i)] : TokenPlace{q.sequence, i};
        ranges[{at.sequence, h, at.query}].push_back({item.kv_begin, item.kv_end});
      }
    }
  }
  for (size_t n = 0; n < b.lengths.size(); ++n) {
    const Lengths& s = b.lengths[n];
    for (int32_t h = 0; h < layer.kv_heads; ++h) {
      for (int32_t q = 0; q < s.q; ++q) {
        auto& parts = ranges[{static_cast<int32_t>(n), h, q}];
        std::sort(parts.begin(), parts.end());
        for (size_t i = 1; i < parts.size(); ++i) ASSERT_EQ(parts[i].first, parts[i - 1].second);
        const KeyRange keys = visible_keys(layer, s, q, 1);
        ASSERT_LE(parts.front().first, keys.begin);
        ASSERT_GE(parts.back().second, keys.end);
      }
    }
  }
}

Batch shared_batch() {
  Batch b;
  b.add(1, 3000);
  for (int i = 0; i < 40; ++i) b.add(1 + i % 3, 2100 + 16 * i, 0, 2048);
  b.add(300, 300);
  b.add(1, 2048, 0, 2048);  // nothing of its own
  b.add(1, 7000);
  return b;
}

TEST(Sharing, TheDivisionHoldsEveryVisiblePairOnce) {
  for (const int32_t kv_heads : {1, 3, 8}) {
    for (const int32_t group : {1, 4, 9}) {
      for (const int32_t window : {0, 1500}) {
        LayerParams layer = layer_with(kv_heads, group);
        layer.window = window;
        expect_complete(layer, shared_batch());
      }
    }
  }
}

TEST(Sharing, SharedKeysAreInOneItemForAsManyRowsAsItHolds) {
  Batch b;
  b.add(1, 4224);
  for (int i = 1; i < 32; ++i) b.add(1, 4224, 0, 4096);
  const LayerParams layer = layer_with(8, 4);
  int64_t keys = 0;
  for (const WorkItem& item : divide(layer, b.lengths, false, b.find(layer)).items) {
    keys += int64_t{item.kv_end - item.kv_begin} * item.rows.kv_heads;
  }
  EXPECT_EQ(keys, 8 * (4096 + 32 * 128));
}

TEST(Sharing, PartialResultsFitWhatTheBoundsPromise) {
  for (const int32_t group : {1, 4, 9}) {
    const LayerParams layer = layer_with(8, group);
    const Batch b = shared_batch();
    attnrt_bounds bounds{sizeof(bounds), static_cast<int32_t>(b.lengths.size()), 0, 1, 1};
    for (const Lengths& s : b.lengths) {
      bounds.tokens += s.q;
      bounds.q_len = std::max(bounds.q_len, s.q);
      bounds.kv_len = std::max<int64_t>(bounds.kv_len, s.kv);
    }
    const Division d = divide(layer, b.lengths, false, b.find(layer));
    EXPECT_LE(d.partial_floats, max_partial_floats(layer, bounds, false));
  }
}

TEST(Sharing, FollowersWaitForTheUnitsThatNameThem) {
  const LayerParams layer = layer_with(8, 4);
  const Batch b = shared_batch();
  const Division d = divide(layer, b.lengths, false, b.find(layer));
  ASSERT_FALSE(d.tiles.empty());
  std::vector<int32_t> done(d.units.size());
  for (const WorkItem& item : d.items) {
    if (item.unit >= 0) ++done[static_cast<size_t>(item.unit)];
  }
  for (size_t u = 0; u < d.units.size(); ++u) {
    EXPECT_EQ(done[u], d.units[u].parts);
    if (d.units[u].rows.shared == 0) continue;
    const SharedTile& tile = d.tiles[static_cast<size_t>(d.units[u].tile)];
    for (int32_t i = 0; i < tile.followers; ++i) {
      const auto f = static_cast<size_t>(tile.first_follower + i);
      if (follows(d.units[f], d.units[u])) ++done[f];
    }
  }
  for (size_t u = 0; u < d.units.size(); ++u) EXPECT_EQ(done[u], d.units[u].waits);
}

}  // namespace
}  // namespace attnrt::cpu
