// The matrix unit of AMX: tiles of 16 rows of 64 bytes, products of bf16 pairs with f32 sums.
//
// Products are exact and sums rounded to nearest even as in f32; subnormal inputs and sums count as
// 0 (docs/accuracy.md). Source: Intel 64 and IA-32 Architectures Software Developer's Manual,
// chapter 20, TDPBF16PS.
#pragma once

#include <stdint.h>

#include "kernels/cpu/tile_config.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {

// In assembly: GCC's intrinsics take no register number from a template, and do not say that they
// touch memory.
struct Matrix {
  static inline void configure(const TileConfig& config) {
    __asm__ volatile("ldtilecfg %0" ::"m"(config) : "memory");
  }
  // Tiles in use would be saved and restored at each switch of threads.
  static inline void release() { __asm__ volatile("tilerelease" ::: "memory"); }

  template <int T>
  static inline __attribute__((always_inline)) void load(const void* from, int64_t stride) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(T) : "memory");
  }
  template <int T>
  static inline __attribute__((always_inline)) void store(void* to, int64_t stride) {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(T) : "memory");
  }
  template <int T>
  static inline __attribute__((always_inline)) void zero() {
    __asm__ volatile("tilezero %%tmm%c0" ::"i"(T));
  }
  // C += A x B: rows of A in pairs of bf16 against columns of B, whose rows hold such pairs.
  template <int C, int A, int B>
  static inline __attribute__((always_inline)) void multiply() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
  }
};

}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
