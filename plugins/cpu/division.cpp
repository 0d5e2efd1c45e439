#include "division.hpp"

#include <algorithm>
#include <functional>
#include <queue>
#include <span>
#include <utility>

namespace attnrt::cpu {
namespace {

// Items that a batch is divided into, roughly: so few at first, twice as many as long as the last
// ones would keep others waiting.
constexpr int64_t kFewestItems = 64;
constexpr int64_t kMostItems = 512;
// Numbers of workers whose largest share of the work should be near the mean, and how near.
constexpr int64_t kWorkers[] = {8, 64};
constexpr double kEvenShare = 1.05;
// Rows of partial results of ranges that are split. kFewestItems never need more: at the most twice
// as many parts, each of kMaxRows rows.
constexpr int64_t kMostSplitRows = 2 * kFewestItems * kMaxRows;
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
  int32_t tile = -1;  // that it belongs to
  int32_t token = 0;  // its first token's place there
};

struct Units {
  std::vector<Unit> all;  // those of tiles first
  std::vector<SharedTile> tiles;
  std::vector<TokenPlace> shared_tokens;
};

int32_t rows_of(const LayerParams& layer, const QueryRows& q) {
  return q.kv_heads * q.q_count * layer.group;
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

void add_heads(const LayerParams& layer, Unit unit, std::vector<Unit>& units) {
  QueryRows& rows = unit.item.rows;
  const int32_t together = heads_of_item(layer, rows.q_count);
  for (int32_t head = 0; head < layer.kv_heads; head += together) {
    rows.kv_head = head;
    rows.kv_heads = std::min(together, layer.kv_heads - head);
    unit.cost = cost_of(layer, unit.item);
    units.push_back(unit);
  }
}

// Query rows of one sequence over the keys that they see from `begin` on.
Unit unit_of(const LayerParams& layer, const std::vector<Lengths>& sequences, int32_t n, int32_t q,
             int32_t begin) {
  const Lengths& s = sequences[static_cast<size_t>(n)];
  Unit unit{};
  unit.tile = -1;
  unit.item.unit = -1;
  unit.item.rows.sequence = n;
  unit.item.rows.q_begin = q;
  unit.item.rows.q_count = std::min(query_tile(layer), s.q - q);
  const KeyRange keys = visible_keys(layer, s, q, unit.item.rows.q_count);
  unit.item.kv_end = keys.end;
  unit.item.kv_begin = std::min(std::max(keys.begin, begin), keys.end);
  return unit;
}

// The followers, then the shared rows. `members` see their first keys in ascending order.
void add_tile(const LayerParams& layer, const std::vector<Lengths>& sequences,
              std::span<const int32_t> members, int32_t end, Units& units) {
  const auto tile = static_cast<int32_t>(units.tiles.size());
  const auto first_token = static_cast<int32_t>(units.shared_tokens.size());
  const auto first_follower = static_cast<int32_t>(units.all.size());
  for (const int32_t n : members) {
    Unit follower = unit_of(layer, sequences, n, 0, end);
    follower.tile = tile;
    follower.token = static_cast<int32_t>(units.shared_tokens.size()) - first_token;
    add_heads(layer, follower, units.all);
    for (int32_t q = 0; q < follower.item.rows.q_count; ++q) units.shared_tokens.push_back({n, q});
  }
  const auto first_unit = static_cast<int32_t>(units.all.size());
  Unit shared = unit_of(layer, sequences, members.front(), 0, 0);
  shared.tile = tile;
  shared.item.kv_end = end;
  shared.item.rows.shared = 1;
  shared.item.rows.q_begin = first_token;
  shared.item.rows.q_count = static_cast<int32_t>(units.shared_tokens.size()) - first_token;
  add_heads(layer, shared, units.all);
  units.tiles.push_back({first_unit, heads_of_item(layer, shared.item.rows.q_count), first_follower,
                         first_unit - first_follower});
}

// A prefix's sequences in as few tiles as hold them, of about the same size.
void add_tiles(const LayerParams& layer, const std::vector<Lengths>& sequences,
               const SharedPrefix& prefix, Units& units) {
  const auto tokens_of = [&](size_t i) {
    return sequences[static_cast<size_t>(prefix.sequences[i])].q;
  };
  int32_t tokens = 0;
  for (size_t i = 0; i < prefix.sequences.size(); ++i) tokens += tokens_of(i);
  const int32_t tiles = (tokens + query_tile(layer) - 1) / query_tile(layer);
  const int32_t even = (tokens + tiles - 1) / tiles;
  for (size_t i = 0; i < prefix.sequences.size();) {
    const size_t first = i;
    int32_t held = tokens_of(i++);
    while (i < prefix.sequences.size() && held + tokens_of(i) <= even) held += tokens_of(i++);
    add_tile(layer, sequences, std::span(prefix.sequences).subspan(first, i - first), prefix.end,
             units);
  }
}

Units list_units(const LayerParams& layer, const std::vector<Lengths>& sequences,
                 const std::vector<SharedPrefix>& prefixes) {
  Units units;
  std::vector<bool> listed(sequences.size());
  for (const SharedPrefix& prefix : prefixes) {
    add_tiles(layer, sequences, prefix, units);
    for (const int32_t n : prefix.sequences) listed[static_cast<size_t>(n)] = true;
  }
  const int32_t tile = query_tile(layer);
  for (size_t n = 0; n < sequences.size(); ++n) {
    if (listed[n]) continue;
    for (int32_t q = 0; q < sequences[n].q; q += tile) {
      add_heads(layer, unit_of(layer, sequences, static_cast<int32_t>(n), q, 0), units.all);
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

// Units of shared keys that a follower waits for.
int32_t shared_units(const QueryRows& rows, const SharedTile& tile) {
  return (rows.kv_head + rows.kv_heads - 1) / tile.unit_heads - rows.kv_head / tile.unit_heads + 1;
}

void add_parts(const LayerParams& layer, const Unit& unit, int32_t parts, Division& d) {
  const WorkItem& whole = unit.item;
  const int32_t keys = whole.kv_end - whole.kv_begin;
  const int32_t share = (keys + parts - 1) / parts;
  const int32_t range = std::max(kTile, (share + kTile - 1) / kTile * kTile);
  const int32_t actual = (keys + range - 1) / range;
  if (actual <= 1 && unit.tile < 0) {
    d.items.push_back(whole);
    return;
  }
  const auto index = static_cast<int32_t>(d.units.size());
  const int64_t floats = slot_floats(layer, whole.rows);
  const bool follower = unit.tile >= 0 && whole.rows.shared == 0;
  const int32_t others =
      follower ? shared_units(whole.rows, d.tiles[static_cast<size_t>(unit.tile)]) : 0;
  d.units.push_back(
      {whole.rows, actual, d.partial_floats, floats, unit.tile, unit.token, actual + others});
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

// wanted: how many items, roughly; 0: see parts_of.
Division split(const LayerParams& layer, const std::vector<Lengths>& sequences, const Units& units,
               int64_t wanted) {
  Division d;
  d.tiles = units.tiles;
  d.shared_tokens = units.shared_tokens;
  for (const Unit& unit : units.all) d.cost += unit.cost;
  const int64_t target = wanted == 0 ? 0 : std::max<int64_t>(1, d.cost / wanted);
  for (const Unit& unit : units.all) {
    const Lengths& s = sequences[static_cast<size_t>(unit.item.rows.sequence)];
    add_parts(layer, unit, parts_of(layer, unit, s, target), d);
  }
  std::stable_sort(d.items.begin(), d.items.end(), [&](const WorkItem& a, const WorkItem& b) {
    return cost_of(layer, a) > cost_of(layer, b);
  });
  return d;
}

// The largest share of work that one of several workers gets, over the mean, if whoever is free
// takes the next item.
double largest_share(const LayerParams& layer, const Division& d, int64_t workers) {
  std::priority_queue<int64_t, std::vector<int64_t>, std::greater<>> loads;
  for (int64_t i = 0; i < workers; ++i) loads.push(0);
  int64_t largest = 0;
  for (const WorkItem& item : d.items) {
    const int64_t load = loads.top() + cost_of(layer, item);
    loads.pop();
    loads.push(load);
    largest = std::max(largest, load);
  }
  return static_cast<double>(largest * workers) / static_cast<double>(d.cost);
}

double largest_share(const LayerParams& layer, const Division& d) {
  // Items this small leave nobody waiting.
  if (d.items.empty() || cost_of(layer, d.items.front()) * kWorkers[1] * 20 <= d.cost) return 1.0;
  return std::max(largest_share(layer, d, kWorkers[0]), largest_share(layer, d, kWorkers[1]));
}

int64_t floats_of_rows(const LayerParams& layer, int64_t rows) {
  return rows * (row_floats(layer) + kSlotAlignment);
}

}  // namespace

int64_t cost_of(const LayerParams& layer, const WorkItem& item) {
  const int64_t rows = int64_t{item.rows.q_count} * layer.group;
  const int64_t keys = item.kv_end - item.kv_begin;
  return (keys + 16) * (rows + kKeyCost) * item.rows.kv_heads * (layer.dim_qk + layer.dim_v) / 64;
}

bool follows(const SplitUnit& follower, const SplitUnit& shared) {
  return follower.rows.kv_head < shared.rows.kv_head + shared.rows.kv_heads &&
         shared.rows.kv_head < follower.rows.kv_head + follower.rows.kv_heads;
}

Division divide(const LayerParams& layer, const std::vector<Lengths>& sequences, bool invariant,
                const std::vector<SharedPrefix>& prefixes) {
  const Units units = list_units(layer, sequences, prefixes);
  if (invariant) return split(layer, sequences, units, 0);
  Division best = split(layer, sequences, units, kFewestItems);
  double share = largest_share(layer, best);
  const int64_t shared_rows = static_cast<int64_t>(units.shared_tokens.size()) * layer.q_heads;
  const int64_t most = floats_of_rows(layer, kMostSplitRows + 2 * shared_rows);
  for (int64_t wanted = 2 * kFewestItems; share > kEvenShare && wanted <= kMostItems; wanted *= 2) {
    Division finer = split(layer, sequences, units, wanted);
    if (finer.partial_floats > most) break;
    if (finer.items.size() == best.items.size()) continue;
    const double of_finer = largest_share(layer, finer);
    if (of_finer >= share) continue;
    best = std::move(finer);
    share = of_finer;
  }
  return best;
}

int64_t max_partial_floats(const LayerParams& layer, const attnrt_bounds& bounds, bool invariant) {
  const int64_t ranges = bounds.kv_len / kShortestRange;
  if (ranges == 0) return 0;
  const int64_t tile = std::min(bounds.q_len, query_tile(layer));
  if (invariant) {
    // Each sequence: kInvariantParts / tiles parts of all its rows, so one tile's rows that often.
    const int64_t tokens = std::min<int64_t>(bounds.tokens, bounds.sequences * tile);
    return ranges == 1 ? 0 : floats_of_rows(layer, kInvariantParts * tokens * layer.q_heads);
  }
  // A unit of cost c > target gets at most c / target + 1 parts, no more than twice c / target.
  const int64_t rows = std::min<int64_t>(kMaxRows, tile * layer.q_heads);
  const int64_t parts = std::min(2 * kMostItems, ranges * layer.kv_heads * bounds.tokens);
  const int64_t split = ranges == 1 ? 0 : std::min(kMostSplitRows, parts * rows);
  // Sequences with a prefix leave one result more over it, and one over the rest.
  const int64_t shared = std::min(kMostSharedRows, int64_t{bounds.tokens} * layer.q_heads);
  return floats_of_rows(layer, split + (bounds.sequences < 2 ? 0 : 2 * shared));
}

}  // namespace attnrt::cpu
