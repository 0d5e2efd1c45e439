#include "division.hpp"

#include <algorithm>

namespace attnrt::cpu {
namespace {

// Enough items that the last one running is a small share of all, on any number of threads.
constexpr int64_t kTargetItems = 128;
// Shorter ranges cost more to put together than they save.
constexpr int32_t kShortestRange = 256;
constexpr int32_t kInvariantParts = 8;
// A key costs this much beside the arithmetic of each row: its way from memory.
constexpr int64_t kKeyCost = 8;

// One query tile and KV head before its range is split.
struct Unit {
  WorkItem item;
  int64_t cost;
};

int64_t cost_of(const LayerParams& layer, const WorkItem& item) {
  const int64_t rows = int64_t{item.q_count} * layer.group;
  const int64_t keys = item.kv_end - item.kv_begin;
  return (keys + 16) * (rows + kKeyCost) * (layer.dim_qk + layer.dim_v) / 64;
}

// Keys that at least one query of [first, last] sees lie in the range that this writes.
void set_range(const LayerParams& layer, const Lengths& s, WorkItem& item) {
  const int64_t context = int64_t{s.kv} - s.q;
  const int64_t last = context + item.q_begin + item.q_count - 1;
  int64_t low = 0;
  int64_t high = s.kv;
  if (layer.window > 0) low = std::max<int64_t>(0, context + item.q_begin - layer.window + 1);
  if (layer.mask == MaskKind::kCausal) high = last + 1;
  if (layer.mask == MaskKind::kPrefixLm) high = std::max<int64_t>(last + 1, s.prefix);
  high = std::clamp<int64_t>(high, 0, s.kv);
  item.kv_begin = static_cast<int32_t>(std::min(low, high));
  item.kv_end = static_cast<int32_t>(high);
}

std::vector<Unit> list_units(const LayerParams& layer, const std::vector<Lengths>& sequences) {
  std::vector<Unit> units;
  const int32_t tile = query_tile(layer);
  for (size_t n = 0; n < sequences.size(); ++n) {
    const Lengths& s = sequences[n];
    for (int32_t q = 0; q < s.q; q += tile) {
      WorkItem item{};
      item.sequence = static_cast<int32_t>(n);
      item.q_begin = q;
      item.q_count = std::min(tile, s.q - q);
      item.partial = -1;
      item.unit = -1;
      set_range(layer, s, item);
      for (int32_t head = 0; head < layer.kv_heads; ++head) {
        item.kv_head = head;
        units.push_back({item, cost_of(layer, item)});
      }
    }
  }
  return units;
}

int32_t parts_of(const LayerParams& layer, const Unit& unit, const Lengths& s, int64_t target,
                 bool invariant) {
  const int32_t keys = unit.item.kv_end - unit.item.kv_begin;
  const int64_t longest = keys / kShortestRange;
  if (longest <= 1) return 1;
  if (!invariant)
    return static_cast<int32_t>(std::clamp<int64_t>((unit.cost + target - 1) / target, 1, longest));
  const int32_t tiles = (s.q + query_tile(layer) - 1) / query_tile(layer);
  return static_cast<int32_t>(std::clamp<int64_t>(kInvariantParts / tiles, 1, longest));
}

void add_parts(const Unit& unit, int32_t parts, Division& d) {
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
  d.units.push_back({whole.sequence, whole.kv_head, whole.q_begin, whole.q_count, d.slots, actual});
  for (int32_t i = 0; i < actual; ++i) {
    WorkItem part = whole;
    part.kv_begin = whole.kv_begin + i * range;
    part.kv_end = std::min(whole.kv_end, part.kv_begin + range);
    part.partial = d.slots++;
    part.unit = index;
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
  const int64_t target = std::max<int64_t>(1, d.cost / kTargetItems);
  for (const Unit& unit : units) {
    const Lengths& s = sequences[static_cast<size_t>(unit.item.sequence)];
    add_parts(unit, parts_of(layer, unit, s, target, invariant), d);
  }
  std::stable_sort(d.items.begin(), d.items.end(), [&](const WorkItem& a, const WorkItem& b) {
    return cost_of(layer, a) > cost_of(layer, b);
  });
  return d;
}

int32_t max_item_rows(const LayerParams& layer, const attnrt_bounds& bounds) {
  return std::min(query_tile(layer), std::max(1, bounds.q_len)) * layer.group;
}

int64_t max_slots(const LayerParams& layer, const attnrt_bounds& bounds, bool invariant) {
  const int64_t ranges = bounds.kv_len / kShortestRange;
  if (ranges <= 1) return 0;
  if (invariant) {
    const int64_t parts = std::min<int64_t>(kInvariantParts, ranges);
    return parts * layer.kv_heads * std::min(bounds.sequences, bounds.tokens);
  }
  // A unit of cost c > target gets at most c / target + 1 parts, no more than twice c / target.
  const int64_t everything = int64_t{bounds.tokens} * layer.kv_heads;
  return std::min(2 * kTargetItems,
                  everything > kTargetItems ? 2 * kTargetItems : everything * ranges);
}

}  // namespace attnrt::cpu
