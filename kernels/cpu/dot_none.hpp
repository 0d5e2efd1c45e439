// For instruction sets without a dot product of bf16 pairs: scores are computed in f32
// multiply-adds.
#pragma once

namespace attnrt::cpu::ATTNRT_CPU_ISA {

struct Bf16Dot {
  static constexpr bool kAvailable = false;
};

}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
