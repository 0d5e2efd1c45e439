// Loops that only compute, in registers: what an arithmetic unit can do at the most.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace attnrt::bench {

// Which operands a unit takes; results are summed in f32.
enum class Operands : uint8_t { kF32, kBf16 };

struct FlopUnit {
  std::string name;  // "f32 FMA (AVX-512)"
  Operands operands = Operands::kF32;
  double flop_per_round = 0;  // of one thread
  // Runs so many rounds on the calling thread; false: the system refused the unit to it.
  bool (*run)(int64_t rounds) = nullptr;
};

// Those that this machine has: always one for f32; features as HostFacts names them.
std::vector<FlopUnit> flop_units(const std::vector<std::string>& cpu_features);

}  // namespace attnrt::bench
