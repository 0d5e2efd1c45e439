// Sizes of what stands one behind the other in the areas of a workspace.
#pragma once

#include <stdint.h>

namespace attnrt::flashinfer {

inline constexpr uint64_t kAreaAlignment = 64;

constexpr uint64_t aligned(uint64_t bytes) {
  return (bytes + kAreaAlignment - 1) / kAreaAlignment * kAreaAlignment;
}
// Of n numbers of 32 bits.
constexpr uint64_t ints(int64_t n) {
  return aligned(static_cast<uint64_t>(n) * sizeof(int32_t));
}

}  // namespace attnrt::flashinfer
