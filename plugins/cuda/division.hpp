// How a batch's work is divided among the blocks of a grid: a pure function of lengths and of the
// prefixes that sequences share.
//
// Every unit (some query rows of one KV head of a sequence) is a run of tiles of keys. All units'
// tiles in a row are cut into as many stretches of equal cost as there are blocks, wherever that
// falls (stream-K: Osama et al., 2023), so one long sequence among short ones keeps nobody waiting.
// A unit that was cut has parts, which the last block to arrive puts together in their order: the
// result does not depend on who that is.
//
// Where sequences share a prefix, rows of several of them are a unit over its keys, by tiles of so
// many rows as a block has; what they leave is put together with each sequence's parts over the
// rest.
#pragma once

#include <attnrt/plugin/checks.hpp>
#include <attnrt/plugin/shared_prefixes.hpp>
#include <cstdint>
#include <vector>

#include "layer.hpp"

namespace attnrt::cuda {

using plugin::Lengths;
using plugin::SharedPrefix;

struct KeyRange {
  int32_t begin;
  int32_t end;
};
// The keys that some query of [first, last] sees.
KeyRange visible_keys(const Layer& layer, const Lengths& s, int32_t first, int32_t last);

// What a kernel takes at a time.
struct TileShape {
  int32_t rows;
  int32_t keys;
};

struct Division {
  std::vector<int32_t> first_item;  // [blocks + 1]
  std::vector<WorkItem> items;
  std::vector<SplitUnit> units;
  std::vector<QueryToken> tokens;  // of sequences that share a prefix, prefix after prefix
  std::vector<PartRange> shared_tiles;
  int32_t parts = 0;
};

// prefixes: of sequences whose query rows of a KV head are at most half a tile each.
Division divide(const Layer& layer, const std::vector<Lengths>& sequences, const TileShape& tile,
                int32_t blocks, const std::vector<SharedPrefix>& prefixes = {});

// At least what every batch within the bounds has, of whose units at most `shared` share a prefix;
// do not fall as bounds grow.
struct DivisionBounds {
  int64_t items;
  int64_t units;
  int64_t parts;
  int64_t tokens;
  int64_t shared_tiles;
};
DivisionBounds bound_division(const Layer& layer, const attnrt_bounds& bounds,
                              const TileShape& tile, int32_t blocks, int64_t shared = 0);

}  // namespace attnrt::cuda
