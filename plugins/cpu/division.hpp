// How a batch's work is divided into items: a pure function of lengths.
//
// An item is some query tokens of a sequence with the query heads of one or more KV heads, over a
// range of the context. Ranges are split where one sequence would keep everybody waiting; the
// parts' results are put together in their order. The division does not depend on the number of
// threads, so results do not either. With `invariant` a sequence's division depends on the sequence
// alone.
#pragma once

#include <attnrt/plugin.h>

#include <cstdint>
#include <vector>

#include "layer.hpp"

namespace attnrt::cpu {

struct Division {
  std::vector<WorkItem> items;  // the most expensive first
  std::vector<SplitUnit> units;
  int64_t partial_floats = 0;  // memory for partial results
  int64_t cost = 0;            // of all items, roughly in multiply-adds per 64 values of a head
};

// What a sequence of a batch asks for.
struct Lengths {
  int32_t q;
  int32_t kv;
  int32_t prefix;  // with prefix_lm
};

Division divide(const LayerParams& layer, const std::vector<Lengths>& sequences, bool invariant);

// Query tokens of an item, at the most.
int32_t query_tile(const LayerParams& layer);
// At least partial_floats of every batch within `bounds`; does not fall as bounds grow.
int64_t max_partial_floats(const LayerParams& layer, const attnrt_bounds& bounds, bool invariant);

}  // namespace attnrt::cpu
