// Prefixes that sequences share: read once for as many query rows as a block has, and put together
// with what each sequence has by itself.
#include "plugins/cuda/sharing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <tuple>

#include "plugins/cuda/division.hpp"

namespace attnrt::cuda {
namespace {

using plugin::SharedPrefix;

constexpr int32_t kBlock = 16;
constexpr TileShape kTile{16, 64};

Layer make_layer(int32_t kv_heads, int32_t group, int32_t window = 0) {
  Layer layer{};
  layer.format = Format::kBf16;
  layer.kv_heads = kv_heads;
  layer.group = group;
  layer.dim_qk = layer.dim_v = 128;
  layer.block_size = kBlock;
  layer.mask = MaskKind::kCausal;
  layer.window = window;
  return layer;
}

// Sequences of a family begin with the same blocks.
struct Batch {
  std::vector<Lengths> lengths;
  std::vector<int32_t> table;
  int64_t stride = 512;
  int32_t next = 1000;

  void add(int32_t q, int32_t kv, int32_t family = 0, int32_t shared = 0) {
    lengths.push_back({q, kv, 0});
    for (int32_t c = 0; c < stride; ++c) {
      const bool same = c < shared / kBlock;
      table.push_back(same ? -family * 1000 - c : next++);
    }
  }
  [[nodiscard]] std::vector<SharedPrefix> find(const Layer& layer, bool on_host = true) const {
    attnrt_batch b{};
    b.block_table.device = table.data();
    b.block_table.host = on_host ? table.data() : nullptr;
    b.block_table_stride = stride;
    return find_shared(layer, lengths, b);
  }
};

TEST(FindShared, FindsWhatDecodesOverOnePromptShare) {
  Batch b;
  for (int i = 0; i < 8; ++i) b.add(1, 3000 + i, 1, 2048);
  b.add(1, 3000);
  const auto found = b.find(make_layer(2, 4));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.front().sequences.size(), 8U);
  EXPECT_EQ(found.front().end, 2048);
}

TEST(FindShared, LeavesAloneWhatSavesNothing) {
  Batch b;
  for (int i = 0; i < 8; ++i) b.add(1, 3000, 1, 240);
  EXPECT_TRUE(b.find(make_layer(2, 4)).empty()) << "shorter than 256 keys";
  Batch one;
  for (int i = 0; i < 8; ++i) one.add(1, 3000, 1, 2048);
  EXPECT_TRUE(one.find(make_layer(2, 16)).empty()) << "a sequence fills a block's rows";
  EXPECT_EQ(most_shared_units(make_layer(2, 16)), 0);
  EXPECT_TRUE(one.find(make_layer(2, 4), false).empty()) << "the table is on the device alone";
  Batch chunk;
  for (int i = 0; i < 8; ++i) chunk.add(3, 3000, 1, 2048);
  EXPECT_TRUE(chunk.find(make_layer(2, 4)).empty()) << "three tokens fill most of a block's rows";
}

TEST(FindShared, KeepsUnitsWithinTheirTickets) {
  Batch b;
  b.stride = 64;
  for (int i = 0; i < 300; ++i) b.add(1, 1000, 1, 512);
  const Layer layer = make_layer(32, 1);
  const auto found = b.find(layer);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.front().sequences.size() * 32, static_cast<size_t>(most_shared_units(layer)));
}

// A query row, and the items over it.
using Row = std::tuple<int32_t, int32_t, int32_t>;  // sequence, query, head of all
std::map<Row, std::vector<const WorkItem*>> items_of_rows(const Division& d, const Layer& layer) {
  std::map<Row, std::vector<const WorkItem*>> rows;
  for (const WorkItem& item : d.items) {
    for (int32_t r = item.q.row_begin; r < item.q.row_begin + item.q.rows; ++r) {
      QueryToken token{item.q.sequence, r / layer.group};
      if (item.q.shared >= 0) {
        token = d.tokens.at(static_cast<size_t>(item.q.shared + r / layer.group));
      }
      rows[{token.sequence, token.query, item.q.kv_head * layer.group + r % layer.group}].push_back(
          &item);
    }
  }
  return rows;
}

// Every key that a row sees is in one item; what it does not see may be in none, or one.
void expect_keys_once(const Division& d, const Layer& layer, const std::vector<Lengths>& all) {
  auto rows = items_of_rows(d, layer);
  for (int32_t s = 0; s < static_cast<int32_t>(all.size()); ++s) {
    for (int32_t t = 0; t < all[static_cast<size_t>(s)].q; ++t) {
      const KeyRange keys = visible_keys(layer, all[static_cast<size_t>(s)], t, t);
      for (int32_t head = 0; head < layer.q_heads(); ++head) {
        auto found = rows.find({s, t, head});
        ASSERT_NE(found, rows.end()) << s << " " << t << " " << head;
        auto& items = found->second;
        std::sort(items.begin(), items.end(),
                  [](const WorkItem* a, const WorkItem* b) { return a->kv_begin < b->kv_begin; });
        int32_t seen = keys.begin;
        int32_t behind = 0;
        for (const WorkItem* item : items) {
          EXPECT_GE(item->kv_begin, behind) << "twice";
          EXPECT_TRUE(item->kv_begin <= seen || seen >= keys.end) << "left out";
          behind = std::max(behind, item->kv_end);
          seen = std::max(seen, item->kv_end);
        }
        EXPECT_GE(seen, keys.end);
        rows.erase(found);
      }
    }
  }
  EXPECT_TRUE(rows.empty());
}

// What is put together for a row is what the items over it left, and is waited for.
void expect_parts_join(const Division& d, const Layer& layer) {
  const auto rows = items_of_rows(d, layer);
  std::vector<int32_t> arrivals(d.units.size());
  for (const WorkItem& item : d.items) {
    for (int32_t u = item.unit; u < item.unit + item.units; ++u) ++arrivals.at(size_t(u));
  }
  for (size_t u = 0; u < d.units.size(); ++u) {
    const SplitUnit& unit = d.units[u];
    EXPECT_EQ(unit.arrivals, arrivals[u]);
    for (int32_t r = 0; r < unit.q.rows; ++r) {
      // By tile of the shared rows, then row: where the kernel looks.
      std::vector<std::pair<int32_t, int32_t>> joined;
      for (int32_t i = 0; i < unit.parts.count; ++i) joined.push_back({unit.parts.first + i, r});
      if (unit.shared_row >= 0) {
        const int32_t at = unit.shared_row + r;
        const PartRange tile = d.shared_tiles.at(size_t(unit.first_tile + at / kTile.rows));
        for (int32_t i = 0; i < tile.count; ++i)
          joined.push_back({tile.first + i, at % kTile.rows});
      }
      const int32_t row = unit.q.row_begin + r;
      const Row key{unit.q.sequence, row / layer.group,
                    unit.q.kv_head * layer.group + row % layer.group};
      std::vector<std::pair<int32_t, int32_t>> left;
      for (const WorkItem* item : rows.at(key)) {
        ASSERT_GT(item->units, 0);
        int32_t place = row - item->q.row_begin;
        if (item->q.shared >= 0) place = (unit.shared_row + r) - item->q.row_begin;
        left.push_back({item->part, place});
      }
      std::sort(joined.begin(), joined.end());
      std::sort(left.begin(), left.end());
      EXPECT_EQ(joined, left);
    }
  }
}

TEST(DivideShared, ReadsAPrefixOnceForAsManyRowsAsABlockHas) {
  Batch b;
  for (int i = 0; i < 8; ++i) b.add(1, 4096 + 100, 1, 4096);
  const Layer layer = make_layer(1, 4);
  const Division d = divide(layer, b.lengths, kTile, 1, b.find(layer));
  int64_t tiles = 0;
  for (const WorkItem& item : d.items) tiles += (item.kv_end - item.kv_begin + 63) / 64;
  EXPECT_EQ(tiles, 2 * 4096 / 64 + 8 * 2) << "four sequences of four heads a block of 16 rows";
}

TEST(DivideShared, CoversEveryBatchOnceWithinItsBounds) {
  std::mt19937 random(11);
  const auto upto = [&](int32_t n) { return static_cast<int32_t>(random() % uint32_t(n + 1)); };
  int shared = 0;
  for (int round = 0; round < 200; ++round) {
    const Layer layer = make_layer(1 + upto(3), 1 + upto(7), upto(1) * (1 + upto(3000)));
    const int32_t blocks = 1 + upto(100);
    Batch b;
    b.stride = 300;
    attnrt_bounds bounds{};
    for (int32_t n = 1 + upto(30); n > 0; --n) {
      const int32_t kv = 1 + upto(4000);
      b.add(std::min(1 + upto(2), kv), kv, upto(2), 16 * upto(200));
      bounds.tokens += b.lengths.back().q;
    }
    bounds.sequences = static_cast<int32_t>(b.lengths.size());
    const auto prefixes = b.find(layer);
    shared += prefixes.empty() ? 0 : 1;
    const Division d = divide(layer, b.lengths, kTile, blocks, prefixes);
    SCOPED_TRACE(round);
    expect_keys_once(d, layer, b.lengths);
    expect_parts_join(d, layer);
    EXPECT_EQ(d.first_item.back(), static_cast<int32_t>(d.items.size()));
    const DivisionBounds most =
        bound_division(layer, bounds, kTile, blocks, most_shared_units(layer));
    EXPECT_LE(static_cast<int64_t>(d.items.size()), most.items);
    EXPECT_LE(static_cast<int64_t>(d.units.size()), most.units);
    EXPECT_LE(d.parts, most.parts);
    EXPECT_LE(static_cast<int64_t>(d.tokens.size()), most.tokens);
    EXPECT_LE(static_cast<int64_t>(d.shared_tiles.size()), most.shared_tiles);
    EXPECT_LE(static_cast<int64_t>(d.units.size()), blocks + most_shared_units(layer)) << "tickets";
  }
  EXPECT_GT(shared, 50);
}

}  // namespace
}  // namespace attnrt::cuda
