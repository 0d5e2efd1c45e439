// What sequences ask for and what items of work may hold: arithmetic that finding shared prefixes
// (sharing.hpp) and dividing the work (division.hpp) agree on. Pure functions.
#pragma once

#include <attnrt/plugin/checks.hpp>
#include <cstdint>

#include "kernels/cpu/params.hpp"

namespace attnrt::cpu {

using plugin::Lengths;

struct KeyRange {
  int32_t begin;
  int32_t end;
};

// Shorter ranges of keys cost more to put together, and to start reading, than they save.
inline constexpr int32_t kShortestRange = 256;

// Keys that at least one of the queries [q_begin, q_begin + q_count) sees lie in the range.
KeyRange visible_keys(const LayerParams& layer, const Lengths& s, int32_t q_begin, int32_t q_count);

// Query tokens of an item, at the most.
int32_t query_tile(const LayerParams& layer);

// Floats of a row's partial result.
int64_t row_floats(const LayerParams& layer);

}  // namespace attnrt::cpu
