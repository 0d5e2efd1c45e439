// The kernels of one instruction set, as a table of functions.
//
// Every set is compiled from the same templates (impl.hpp) in a translation unit of its own, inside
// a namespace of its own, with internal linkage: nothing but these getters is visible. Calling a
// table's functions on a CPU without its instructions is undefined; isa.hpp chooses.
// All functions may run on several threads at once with scratch of their own; none allocates.
#pragma once

#include <stdint.h>

#include "kernels/cpu/params.hpp"

namespace attnrt::cpu {

using MapFunction = void (*)(const float* in, float* out, int64_t n);

struct KernelTable {
  const char* name;
  // Floats of scratch that one thread needs for attend.
  int64_t (*attend_scratch)(const LayerParams&);
  // scratch: aligned to 64 bytes.
  void (*attend)(const AttendParams&, const WorkItem&, float* scratch);
  // Combines the partial results of a unit in their order and writes out and lse.
  void (*finish)(const AttendParams&, const SplitUnit&, float* scratch);
  // Stores rows [begin, end) of k and v. Returns NaN inputs that the format could not store.
  uint64_t (*append)(const AppendParams&, int64_t begin, int64_t end);
  void (*merge)(const MergeParams&, int64_t begin, int64_t end);

  // For tests and benches: the building blocks alone.
  MapFunction exp;
  // 2^x, x at most about 0, where softmax is in powers of 2; else null.
  MapFunction exp2;
  MapFunction tanh;
  // Values of a row of n elements (a multiple of 8), times `scale` per row for int8.
  void (*decode_row)(Format, const uint8_t* row, int32_t n, float* out);
};

const KernelTable& portable_table();
#if defined(ATTNRT_CPU_X86)
const KernelTable& avx2_table();
const KernelTable& avx512_table();
const KernelTable& avx512_bf16_table();
const KernelTable& avx512_amx_table();
#endif
#if defined(ATTNRT_CPU_NEON)
const KernelTable& neon_table();
#endif

}  // namespace attnrt::cpu
