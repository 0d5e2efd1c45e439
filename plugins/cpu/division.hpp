// How a batch's work is divided into items: a pure function of lengths and shared prefixes.
//
// An item is some query tokens with the query heads of one or more KV heads, over a range of the
// context. Ranges are split where one sequence would keep everybody waiting, and where several
// sequences share keys: those are read once for the query rows of all. The parts' results are put
// together in their order. The division does not depend on the number of threads, so results do not
// either: it is made fine enough for any number up to 64. With `invariant` a sequence's division
// depends on the sequence alone.
#pragma once

#include <attnrt/plugin.h>

#include <cstdint>
#include <vector>

#include "layer.hpp"
#include "sharing.hpp"

namespace attnrt::cpu {

struct Division {
  std::vector<WorkItem> items;  // the most expensive first
  std::vector<SplitUnit> units;
  std::vector<SharedTile> tiles;
  std::vector<TokenPlace> shared_tokens;  // of all tiles
  int64_t partial_floats = 0;             // memory for partial results
  int64_t cost = 0;  // of all items, roughly in multiply-adds per 64 values of a head
};

// prefixes: as find_shared gives them; none with `invariant`.
Division divide(const LayerParams& layer, const std::vector<Lengths>& sequences, bool invariant,
                const std::vector<SharedPrefix>& prefixes = {});

// Whether `follower`, a unit of the same tile, has rows among those of the unit of shared keys.
bool follows(const SplitUnit& follower, const SplitUnit& shared);
// What an item is expected to take, in the unit of Division::cost.
int64_t cost_of(const LayerParams& layer, const WorkItem& item);
// At least partial_floats of every batch within `bounds`; does not fall as bounds grow.
int64_t max_partial_floats(const LayerParams& layer, const attnrt_bounds& bounds, bool invariant);

}  // namespace attnrt::cpu
