#include "division.hpp"

#include <algorithm>

namespace attnrt::cuda {
namespace {

// What a unit costs beside its tiles, in tiles: rows of q, the rows of out.
constexpr int64_t kUnitCost = 1;
// Fewer tiles are not worth a part of their own, and its merging.
constexpr int64_t kLeastTiles = 2;

int64_t ceil_div(int64_t n, int64_t by) {
  return (n + by - 1) / by;
}

struct Unit {
  QueryRows q;
  KeyRange keys;
  int64_t tiles;
};

std::vector<Unit> list_units(const Layer& layer, const std::vector<Lengths>& sequences,
                             const TileShape& tile) {
  std::vector<Unit> units;
  for (int32_t s = 0; s < static_cast<int32_t>(sequences.size()); ++s) {
    const Lengths& lengths = sequences[static_cast<size_t>(s)];
    const int64_t rows = int64_t{lengths.q} * layer.group;
    for (int32_t head = 0; head < layer.kv_heads; ++head) {
      for (int64_t row = 0; row < rows; row += tile.rows) {
        const int64_t end = std::min<int64_t>(row + tile.rows, rows);
        const KeyRange keys = visible_keys(layer, lengths, static_cast<int32_t>(row / layer.group),
                                           static_cast<int32_t>((end - 1) / layer.group));
        units.push_back({{s, head, static_cast<int32_t>(row), static_cast<int32_t>(end - row)},
                         keys,
                         ceil_div(keys.end - keys.begin, tile.keys)});
      }
    }
  }
  return units;
}

// Hands the units' tiles to block after block, each up to its share of the whole cost.
class Dealer {
 public:
  Dealer(const std::vector<Unit>& units, const TileShape& tile, int32_t blocks)
      : tile_(tile), blocks_(blocks) {
    for (const Unit& u : units) cost_ += kUnitCost + u.tiles;
    division_.first_item.push_back(0);
  }

  void deal(const Unit& u) {
    const int64_t last_block = std::max<int64_t>(blocks_ - 1, 0);
    const auto first_item = division_.items.size();
    dealt_ += kUnitCost;
    int64_t tile = 0;
    do {
      while (block_ < last_block && dealt_ >= share_of(block_)) end_block();
      int64_t count = u.tiles - tile;
      if (block_ < last_block) count = std::min(count, share_of(block_) - dealt_);
      count = std::max(count, std::min(kLeastTiles, u.tiles - tile));
      if (u.tiles - tile - count < kLeastTiles) count = u.tiles - tile;
      division_.items.push_back(item(u, tile, tile + count));
      tile += count;
      dealt_ += count;
    } while (tile < u.tiles);
    if (division_.items.size() - first_item > 1) make_parts(u, first_item);
  }

  Division finish() {
    while (block_ < blocks_) end_block();
    return std::move(division_);
  }

 private:
  // Where the share of a block ends, in the cost of all before it too.
  [[nodiscard]] int64_t share_of(int64_t block) const {
    return ceil_div(cost_ * (block + 1), blocks_);
  }

  void end_block() {
    division_.first_item.push_back(static_cast<int32_t>(division_.items.size()));
    ++block_;
  }

  [[nodiscard]] WorkItem item(const Unit& u, int64_t from, int64_t to) const {
    const int64_t begin = u.keys.begin + from * tile_.keys;
    const int64_t end = std::min<int64_t>(u.keys.begin + to * tile_.keys, u.keys.end);
    return {u.q, static_cast<int32_t>(begin), static_cast<int32_t>(end), -1, 0};
  }

  void make_parts(const Unit& u, size_t first_item) {
    const auto unit = static_cast<int32_t>(division_.units.size());
    const auto parts = static_cast<int32_t>(division_.items.size() - first_item);
    division_.units.push_back({u.q, division_.parts, parts});
    for (size_t i = first_item; i < division_.items.size(); ++i) {
      division_.items[i].unit = unit;
      division_.items[i].part = division_.parts++;
    }
  }

  TileShape tile_;
  int64_t blocks_;
  int64_t cost_ = 0;
  int64_t dealt_ = 0;
  int64_t block_ = 0;
  Division division_;
};

}  // namespace

KeyRange visible_keys(const Layer& layer, const Lengths& s, int32_t first, int32_t last) {
  const int64_t position = int64_t{s.kv} - s.q;
  int64_t begin = 0;
  int64_t end = s.kv;
  if (layer.window > 0) begin = std::max<int64_t>(0, position + first - layer.window + 1);
  if (layer.mask == MaskKind::kCausal) end = position + last + 1;
  if (layer.mask == MaskKind::kPrefixLm) end = std::max<int64_t>(position + last + 1, s.prefix);
  end = std::clamp<int64_t>(end, 0, s.kv);
  return {static_cast<int32_t>(std::min(begin, end)), static_cast<int32_t>(end)};
}

Division divide(const Layer& layer, const std::vector<Lengths>& sequences, const TileShape& tile,
                int32_t blocks) {
  const std::vector<Unit> units = list_units(layer, sequences, tile);
  Dealer dealer(units, tile, blocks);
  for (const Unit& u : units) dealer.deal(u);
  return dealer.finish();
}

DivisionBounds bound_division(const Layer& layer, const attnrt_bounds& bounds,
                              const TileShape& tile, int32_t blocks) {
  const int64_t rows = int64_t{bounds.tokens} * layer.group;
  const int64_t units = (rows / tile.rows + bounds.sequences) * layer.kv_heads;
  // Each block ends with at most one cut.
  return {units + blocks, std::min<int64_t>(units, blocks), 2 * int64_t{blocks}};
}

}  // namespace attnrt::cuda
