// In which order what could run next does.
#pragma once

#include <stdint.h>

#include <algorithm>
#include <bit>
#include <numeric>
#include <random>
#include <vector>

#include "tests/simt/settings.hpp"

namespace attnrt::simt {

// One of the set bits of `ready`.
inline int pick(uint32_t ready, Order order, std::minstd_rand& random) {
  if (order == Order::kForward) return std::countr_zero(ready);
  if (order == Order::kReverse) return 31 - std::countl_zero(ready);
  const int first = static_cast<int>(random() >> 8) % 32;
  return (std::countr_zero(std::rotr(ready, first)) + first) % 32;
}

// 0 ... size - 1, in order.
inline void arrange(std::vector<int>& indices, int size, Order order, std::minstd_rand& random) {
  indices.resize(static_cast<size_t>(size));
  std::iota(indices.begin(), indices.end(), 0);
  if (order == Order::kReverse) std::reverse(indices.begin(), indices.end());
  if (order == Order::kShuffled) std::shuffle(indices.begin(), indices.end(), random);
}

}  // namespace attnrt::simt
