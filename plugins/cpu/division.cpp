#include "division.hpp"

#include <algorithm>

namespace attnrt::cpu {
namespace {

// Enough items that the last one running is a small share of all, on any number of threads.
constexpr int64_t kTargetItems = 64;
// Shorter ranges cost more to put together, and to start reading, than they save.
constexpr int32_t kShortestRange = 256;
constexpr int32_t kInvariantParts = 16;
// A key costs this much beside the arithmetic of each row: its way from memory.
constexpr int64_t kKeyCost = 8;
// With so few query rows a KV head, reading memory in order matters more than anything else.
constexpr int32_t kFewRows = 8;
constexpr int64_t kSlotAlignment = 16;  // floats

// Query rows before their range is split.
struct Unit {
  WorkItem item;
  int64_t cost;
};

int32_t rows_of(const LayerParams& layer, const QueryRows& q) {
  return q.kv_heads * q.q_count * layer.group;
}

int64_t cost_of(const LayerParams& layer, const WorkItem& item) {
  const int64_t rows = int64_t{item.rows.q_count} * layer.group;
  const int64_t keys = item.kv_end - item.kv_begin;
  return (keys + 16) * (rows + kKeyCost) * item.rows.kv_heads * (layer.dim_qk + layer.dim_v) / 64;
}

int64_t row_floats(const LayerParams& layer) {
  return 2 + (layer.dim_v + kRowPad - 1) / kRowPad * kRowPad;
}

int64_t slot_floats(const LayerParams& layer, const QueryRows& q) {
  const int64_t floats = rows_of(layer, q) * row_floats(layer);
  return (floats + kSlotAlignment - 1) / kSlotAlignment * kSlotAlignment;
}

// Where all heads of a token are neighbours and their rows few, one item takes them all: each head
// alone would read a fraction of every page, which memory answers at half its speed.
int32_t heads_of_item(const LayerParams& layer, int32_t q_count) {
  const int32_t rows = q_count * layer.group;
  if (layer.heads_together == 0 || rows > kFewRows) return 1;
  return std::min(layer.kv_heads, kMaxRows / rows);
}

// Keys that at least one query of the item sees lie in the range that this writes.
void set_range(const LayerParams& layer, const Lengths& s, WorkItem& item) {
  const int64_t first = int64_t{s.kv} - s.q + item.rows.q_begin;
  const int64_t last = first + item.rows.q_count - 1;
  int64_t low = 0;
  int64_t high = s.kv;
  if (layer.window > 0) low = std::max<int64_t>(0, first - layer.window + 1);
  if (layer.mask == MaskKind::kCausal) high = last + 1;
  if (layer.mask == MaskKind::kPrefixLm) high = std::max<int64_t>(last + 1, s.prefix);
  high = std::clamp<int64_t>(high, 0, s.kv);
  item.kv_begin = static_cast<int32_t>(std::min(low, high));
  item.kv_end = static_cast<int32_t>(high);
}

void add_heads(const LayerParams& layer, WorkItem item, std::vector<Unit>& units) {
  const int32_t together = heads_of_item(layer, item.rows.q_count);
  for (int32_t head = 0; head < layer.kv_heads; head += together) {
    item.rows.kv_head = head;
    item.rows.kv_heads = std::min(together, layer.kv_heads - head);
    units.push_back({item, cost_of(layer, item)});
  }
}

std::vector<Unit> list_units(const LayerParams& layer, const std::vector<Lengths>& sequences) {
  std::vector<Unit> units;
  const int32_t tile = query_tile(layer);
  for (size_t n = 0; n < sequences.size(); ++n) {
    const Lengths& s = sequences[n];
    for (int32_t q = 0; q < s.q; q += tile) {
      WorkItem item{};
      item.rows.sequence = static_cast<int32_t>(n);
      item.rows.q_begin = q;
      item.rows.q_count = std::min(tile, s.q - q);
      item.unit = -1;
      set_range(layer, s, item);
      add_heads(layer, item, units);
    }
  }
  return units;
}

// target: the cost that a part should have; 0: a division that looks at this sequence alone.
int32_t parts_of(const LayerParams& layer, const Unit& unit, const Lengths& s, int64_t target) {
  const int64_t longest = (unit.item.kv_end - unit.item.kv_begin) / kShortestRange;
  if (longest <= 1) return 1;
  const int32_t tiles = (s.q + query_tile(layer) - 1) / query_tile(layer);
  const int64_t wanted =
      target > 0 ? (unit.cost + target - 1) / target : int64_t{kInvariantParts / tiles};
  return static_cast<int32_t>(std::clamp<int64_t>(wanted, 1, longest));
}

void add_parts(const LayerParams& layer, const Unit& unit, int32_t parts, Division& d) {
  const WorkItem& whole = unit.item;
  const int32_t keys = whole.kv_end - whole.kv_begin;
  const int32_t share = (keys + parts - 1) / parts;
  const int32_t range = std::max(kTile, (share + kTile - 1) / kTile * kTile);
  const int32_t actual = (keys + range - 1) / range;
  if (actual <= 1) {
    d.items.push_back(whole);
    return;
  }
  const auto index = static_cast<int32_t>(d.units.size());
  const int64_t floats = slot_floats(layer, whole.rows);
  d.units.push_back({whole.rows, actual, d.partial_floats, floats});
  for (int32_t i = 0; i < actual; ++i) {
    WorkItem part = whole;
    part.kv_begin = whole.kv_begin + i * range;
    part.kv_end = std::min(whole.kv_end, part.kv_begin + range);
    part.partial = d.partial_floats;
    part.unit = index;
    d.partial_floats += floats;
    d.items.push_back(part);
  }
}

}  // namespace

int32_t query_tile(const LayerParams& layer) {
  return std::max(1, kMaxRows / layer.group);
}

Division divide(const LayerParams& layer, const std::vector<Lengths>& sequences, bool invariant) {
  const std::vector<Unit> units = list_units(layer, sequences);
  Division d;
  for (const Unit& unit : units) d.cost += unit.cost;
  const int64_t target = invariant ? 0 : std::max<int64_t>(1, d.cost / kTargetItems);
  for (const Unit& unit : units) {
    const Lengths& s = sequences[static_cast<size_t>(unit.item.rows.sequence)];
    add_parts(layer, unit, parts_of(layer, unit, s, target), d);
  }
  std::stable_sort(d.items.begin(), d.items.end(), [&](const WorkItem& a, const WorkItem& b) {
    return cost_of(layer, a) > cost_of(layer, b);
  });
  return d;
}

int64_t max_partial_floats(const LayerParams& layer, const attnrt_bounds& bounds, bool invariant) {
  const int64_t ranges = bounds.kv_len / kShortestRange;
  if (ranges <= 1) return 0;
  const int64_t row = row_floats(layer) + kSlotAlignment;
  const int64_t tile = std::min(bounds.q_len, query_tile(layer));
  if (invariant) {
    // Each sequence: kInvariantParts / tiles parts of all its rows, so one tile's rows that often.
    const int64_t tokens = std::min<int64_t>(bounds.tokens, bounds.sequences * tile);
    return kInvariantParts * tokens * layer.q_heads * row;
  }
  // A unit of cost c > target gets at most c / target + 1 parts, no more than twice c / target.
  const int64_t rows = std::min<int64_t>(kMaxRows, tile * layer.q_heads);
  return std::min(2 * kTargetItems, ranges * layer.kv_heads * bounds.tokens) * rows * row;
}

}  // namespace attnrt::cpu
