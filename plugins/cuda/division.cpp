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

// Rows over keys. What it is a part of, if anything before it is cut: units of the division.
struct Unit {
  QueryRows q;
  KeyRange keys;
  int64_t tiles;
  int32_t first_unit = -1;
  int32_t units = 0;
  int32_t shared_tile = -1;  // whose parts are this one's
};

class Lister {
 public:
  Lister(const Layer& layer, const std::vector<Lengths>& sequences, const TileShape& tile)
      : layer_(layer), sequences_(sequences), tile_(tile), shares_(sequences.size()) {}

  void list_prefix(const SharedPrefix& prefix) {
    const auto first_token = static_cast<int32_t>(division_.tokens.size());
    for (const int32_t s : prefix.sequences) {
      shares_[static_cast<size_t>(s)] = true;
      for (int32_t t = 0; t < lengths(s).q; ++t) division_.tokens.push_back({s, t});
    }
    const auto tokens = static_cast<int32_t>(division_.tokens.size()) - first_token;
    for (int32_t head = 0; head < layer_.kv_heads; ++head) {
      const size_t first_unit = division_.units.size();
      list_members(prefix, head);
      list_shared_tiles(prefix,
                        {prefix.sequences.front(), head, 0, tokens * layer_.group, first_token},
                        first_unit);
    }
  }

  void list_others() {
    for (int32_t s = 0; s < static_cast<int32_t>(sequences_.size()); ++s) {
      if (shares_[static_cast<size_t>(s)]) continue;
      const int64_t rows = int64_t{lengths(s).q} * layer_.group;
      for (int32_t head = 0; head < layer_.kv_heads; ++head) {
        for (int64_t row = 0; row < rows; row += tile_.rows) {
          const int64_t end = std::min<int64_t>(row + tile_.rows, rows);
          const KeyRange keys =
              visible_keys(layer_, lengths(s), static_cast<int32_t>(row / layer_.group),
                           static_cast<int32_t>((end - 1) / layer_.group));
          add({s, head, static_cast<int32_t>(row), static_cast<int32_t>(end - row), -1}, keys);
        }
      }
    }
  }

  [[nodiscard]] const std::vector<Unit>& units() const { return units_; }
  // With the units that share a prefix, and whatever they refer to.
  Division take_division() { return std::move(division_); }

 private:
  [[nodiscard]] const Lengths& lengths(int32_t sequence) const {
    return sequences_[static_cast<size_t>(sequence)];
  }

  Unit& add(const QueryRows& q, const KeyRange& keys) {
    units_.push_back({q, keys, ceil_div(keys.end - keys.begin, tile_.keys)});
    return units_.back();
  }

  // The rest of each sequence's context.
  void list_members(const SharedPrefix& prefix, int32_t head) {
    const auto first_tile = static_cast<int32_t>(division_.shared_tiles.size());
    int32_t shared_row = 0;
    for (const int32_t s : prefix.sequences) {
      const QueryRows q{s, head, 0, lengths(s).q * layer_.group, -1};
      KeyRange keys = visible_keys(layer_, lengths(s), 0, lengths(s).q - 1);
      keys.begin = std::min(std::max(keys.begin, prefix.end), keys.end);
      Unit& unit = add(q, keys);
      unit.first_unit = static_cast<int32_t>(division_.units.size());
      unit.units = 1;
      division_.units.push_back({q, {}, 0, shared_row, first_tile});
      shared_row += q.rows;
    }
  }

  // `all`: the rows of all members, whose units are those from first_unit on.
  void list_shared_tiles(const SharedPrefix& prefix, const QueryRows& all, size_t first_unit) {
    const KeyRange keys{visible_keys(layer_, lengths(all.sequence), 0, 0).begin, prefix.end};
    size_t begin = first_unit;
    for (int32_t row = 0; row < all.rows; row += tile_.rows) {
      QueryRows q = all;
      q.row_begin = row;
      q.rows = std::min(tile_.rows, all.rows - row);
      const auto ends_before = [&](const SplitUnit& u) { return u.shared_row + u.q.rows <= row; };
      while (ends_before(division_.units[begin])) ++begin;
      size_t end = begin;
      while (end < division_.units.size() && division_.units[end].shared_row < row + q.rows) ++end;
      Unit& unit = add(q, keys);
      unit.first_unit = static_cast<int32_t>(begin);
      unit.units = static_cast<int32_t>(end - begin);
      unit.shared_tile = static_cast<int32_t>(division_.shared_tiles.size());
      division_.shared_tiles.push_back({});
    }
  }

  const Layer& layer_;
  const std::vector<Lengths>& sequences_;
  const TileShape tile_;
  std::vector<bool> shares_;  // a sequence
  std::vector<Unit> units_;
  Division division_;
};

// Hands the units' tiles to block after block, each up to its share of the whole cost.
class Dealer {
 public:
  Dealer(const std::vector<Unit>& units, const TileShape& tile, int32_t blocks, Division division)
      : tile_(tile), blocks_(blocks), division_(std::move(division)) {
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
    const bool cut = division_.items.size() - first_item > 1;
    if (cut || u.units > 0) make_parts(u, first_item);
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
    return {u.q, static_cast<int32_t>(begin), static_cast<int32_t>(end), -1, 0, 0};
  }

  void make_parts(Unit u, size_t first_item) {
    if (u.units == 0) {
      u.first_unit = static_cast<int32_t>(division_.units.size());
      u.units = 1;
      division_.units.push_back({u.q, {}, 0, -1, 0});
    }
    const PartRange parts{division_.parts,
                          static_cast<int32_t>(division_.items.size() - first_item)};
    for (size_t i = first_item; i < division_.items.size(); ++i) {
      division_.items[i].unit = u.first_unit;
      division_.items[i].units = u.units;
      division_.items[i].part = division_.parts++;
    }
    for (int32_t i = u.first_unit; i < u.first_unit + u.units; ++i) {
      SplitUnit& unit = division_.units[static_cast<size_t>(i)];
      unit.arrivals += parts.count;
      if (u.shared_tile < 0) unit.parts = parts;
    }
    if (u.shared_tile >= 0) division_.shared_tiles[static_cast<size_t>(u.shared_tile)] = parts;
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
                int32_t blocks, const std::vector<SharedPrefix>& prefixes) {
  Lister lister(layer, sequences, tile);
  for (const SharedPrefix& prefix : prefixes) lister.list_prefix(prefix);
  lister.list_others();
  Dealer dealer(lister.units(), tile, blocks, lister.take_division());
  for (const Unit& u : lister.units()) dealer.deal(u);
  return dealer.finish();
}

DivisionBounds bound_division(const Layer& layer, const attnrt_bounds& bounds,
                              const TileShape& tile, int32_t blocks, int64_t shared) {
  const int64_t rows = int64_t{bounds.tokens} * layer.group;
  const int64_t units = (rows / tile.rows + bounds.sequences) * layer.kv_heads;
  // Sequences that share have a unit each, and together tiles for at most two thirds of them: each
  // fills at most half a tile, and a prefix has two.
  const int64_t most = std::min(units, shared);
  const int64_t tiles = (2 * most + 2) / 3;
  const int64_t tokens = std::min<int64_t>(bounds.tokens, shared);
  // Each block ends with at most one cut.
  const int64_t cuts = blocks;
  return {units + tiles + cuts, std::min(units, cuts) + most, 2 * cuts + most + tiles, tokens,
          tiles};
}

}  // namespace attnrt::cuda
