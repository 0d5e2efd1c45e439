// Seeded values for queries, keys and values: the same on every machine.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "attnrt/format.hpp"

namespace attnrt::bench {

class SplitMix {
 public:
  explicit SplitMix(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

// `count` values of either sign between 2^-7 and 2 in size, in f32, f16 or bf16, as bytes.
std::vector<uint8_t> random_values(int64_t count, DType dtype, SplitMix& random);

// Puts the ids into a random order.
void shuffle(std::vector<int32_t>& ids, SplitMix& random);

}  // namespace attnrt::bench
