// Loops that read memory and do next to nothing else, one an instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace attnrt::bench {

// How a thread walks through its memory: `streams` equal parts at once, each line asked for
// `prefetch_bytes` before it is read (0: left to the hardware).
struct ReadPattern {
  int32_t streams = 1;  // 1, 2, 4 or 8
  int32_t prefetch_bytes = 0;
};

inline constexpr size_t kReadStep = 256;  // bytes of a stream between two steps

// Reads `bytes`, a multiple of 8 * kReadStep, once; the value depends on every byte.
using ReadLoop = uint64_t (*)(const uint8_t* data, size_t bytes, ReadPattern pattern);

// The widest of this machine: features as HostFacts names them.
ReadLoop widest_read_loop(const std::vector<std::string>& cpu_features);

}  // namespace attnrt::bench
