// The division of a batch among blocks: everything once, in equal shares, within the bounds.
#include "plugins/cuda/division.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <tuple>

namespace attnrt::cuda {
namespace {

constexpr TileShape kDecodeTile{16, 64};

Layer make_layer(int32_t kv_heads, int32_t group, MaskKind mask = MaskKind::kCausal,
                 int32_t window = 0) {
  Layer layer{};
  layer.kv_heads = kv_heads;
  layer.group = group;
  layer.dim_qk = layer.dim_v = 128;
  layer.mask = mask;
  layer.window = window;
  return layer;
}

int64_t tiles_of(const WorkItem& item, const TileShape& tile) {
  return (item.kv_end - item.kv_begin + tile.keys - 1) / tile.keys;
}

// The most tiles that a block has.
int64_t largest_share(const Division& d, const TileShape& tile) {
  int64_t most = 0;
  for (size_t b = 0; b + 1 < d.first_item.size(); ++b) {
    int64_t tiles = 0;
    for (int32_t i = d.first_item[b]; i < d.first_item[b + 1]; ++i) {
      tiles += tiles_of(d.items[static_cast<size_t>(i)], tile);
    }
    most = std::max(most, tiles);
  }
  return most;
}

// Every query row once, over all keys that its unit sees, in parts that join.
void expect_all_once(const Division& d, const Layer& layer, const std::vector<Lengths>& sequences) {
  std::map<std::tuple<int32_t, int32_t, int32_t>, std::vector<WorkItem>> units;
  for (const WorkItem& item : d.items) {
    units[{item.q.sequence, item.q.kv_head, item.q.row_begin}].push_back(item);
  }
  for (int32_t s = 0; s < static_cast<int32_t>(sequences.size()); ++s) {
    const Lengths& lengths = sequences[static_cast<size_t>(s)];
    for (int32_t head = 0; head < layer.kv_heads; ++head) {
      int32_t row = 0;
      while (row < lengths.q * layer.group) {
        const auto found = units.find({s, head, row});
        ASSERT_NE(found, units.end()) << "sequence " << s << ", head " << head << ", row " << row;
        const std::vector<WorkItem>& items = found->second;
        const int32_t rows = items.front().q.rows;
        const KeyRange keys =
            visible_keys(layer, lengths, row / layer.group, (row + rows - 1) / layer.group);
        EXPECT_EQ(items.front().kv_begin, keys.begin);
        EXPECT_EQ(items.back().kv_end, keys.end);
        for (size_t i = 1; i < items.size(); ++i) {
          EXPECT_EQ(items[i].kv_begin, items[i - 1].kv_end);
          EXPECT_EQ(items[i].part, items[i - 1].part + 1);
        }
        if (items.size() == 1) {
          EXPECT_EQ(items.front().units, 0);
        } else {
          const SplitUnit& unit = d.units.at(static_cast<size_t>(items.front().unit));
          EXPECT_EQ(items.front().units, 1);
          EXPECT_EQ(unit.parts.first, items.front().part);
          EXPECT_EQ(unit.parts.count, static_cast<int32_t>(items.size()));
          EXPECT_EQ(unit.arrivals, unit.parts.count);
          EXPECT_EQ(unit.shared_row, -1);
        }
        row += rows;
        units.erase(found);
      }
    }
  }
  EXPECT_TRUE(units.empty());
}

TEST(Divide, CoversEveryBatchOnceWithinItsBounds) {
  std::mt19937 random(7);
  const auto upto = [&](int32_t n) { return static_cast<int32_t>(random() % uint32_t(n + 1)); };
  for (int round = 0; round < 300; ++round) {
    const Layer layer =
        make_layer(1 + upto(7), 1 + upto(31), static_cast<MaskKind>(upto(3)), upto(1) * upto(200));
    const TileShape tile{round % 2 == 0 ? 16 : 64, round % 3 == 0 ? 32 : 64};
    const int32_t blocks = 1 + upto(300);
    std::vector<Lengths> sequences;
    attnrt_bounds bounds{};
    bounds.sequences = bounds.tokens = bounds.q_len = 1;
    bounds.kv_len = 1;
    for (int32_t n = upto(20); n > 0; --n) {
      const int32_t kv = upto(round % 5 == 0 ? 20000 : 400);
      sequences.push_back({std::min(upto(40), kv), kv, upto(kv)});
      bounds.tokens += sequences.back().q;
    }
    bounds.sequences = std::max<int32_t>(1, static_cast<int32_t>(sequences.size()));
    const Division d = divide(layer, sequences, tile, blocks);
    SCOPED_TRACE(round);
    expect_all_once(d, layer, sequences);
    EXPECT_EQ(d.first_item.size(), static_cast<size_t>(blocks) + 1);
    EXPECT_EQ(d.first_item.back(), static_cast<int32_t>(d.items.size()));
    EXPECT_TRUE(std::is_sorted(d.first_item.begin(), d.first_item.end()));
    const DivisionBounds most = bound_division(layer, bounds, tile, blocks);
    EXPECT_LE(static_cast<int64_t>(d.items.size()), most.items);
    EXPECT_LE(static_cast<int64_t>(d.units.size()), most.units);
    EXPECT_LE(d.parts, most.parts);
  }
}

TEST(Divide, KeepsSkewedLengthsEven) {
  const Layer layer = make_layer(8, 4);
  constexpr int32_t kBlocks = 264;
  std::vector<Lengths> skewed(63, {1, 1024, 0});
  skewed.push_back({1, 65536, 0});
  int64_t tiles = 0;
  for (const Lengths& s : skewed) tiles += s.kv / kDecodeTile.keys * layer.kv_heads;
  const Division d = divide(layer, skewed, kDecodeTile, kBlocks);
  EXPECT_LE(largest_share(d, kDecodeTile), (tiles + kBlocks - 1) / kBlocks * 11 / 10 + 1);
}

TEST(Divide, SpreadsOneSequenceOverAllBlocks) {
  const Layer layer = make_layer(8, 4);
  const Division d = divide(layer, {{1, 131072, 0}}, kDecodeTile, 264);
  EXPECT_LE(largest_share(d, kDecodeTile), 131072 / 64 * 8 / 264 + 2);
}

TEST(Divide, CutsNothingSmallerThanTwoTiles) {
  const Layer layer = make_layer(2, 4);
  const Division d = divide(layer, {{1, 256, 0}}, kDecodeTile, 264);
  for (const WorkItem& item : d.items) EXPECT_GE(tiles_of(item, kDecodeTile), 2);
}

TEST(Divide, HasNoWorkForNobody) {
  const Division d = divide(make_layer(2, 4), {}, kDecodeTile, 3);
  EXPECT_TRUE(d.items.empty());
  EXPECT_EQ(d.first_item, (std::vector<int32_t>{0, 0, 0, 0}));
}

}  // namespace
}  // namespace attnrt::cuda
