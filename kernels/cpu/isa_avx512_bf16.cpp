// Kernels for AVX-512 F, BW, VL and DQ with VBMI, VNNI and AVX512-BF16.
#define ATTNRT_CPU_ISA isa_avx512_bf16
#define ATTNRT_CPU_MATRIX "kernels/cpu/attend_dots.hpp"
#include "kernels/cpu/dot_avx512bf16.hpp"
#include "kernels/cpu/load_avx512.hpp"
// Needs the above.
#include "kernels/cpu/impl.hpp"

namespace attnrt::cpu {

const KernelTable& avx512_bf16_table() {
  static constexpr KernelTable kTable = isa_avx512_bf16::make_table("avx512_bf16");
  return kTable;
}

}  // namespace attnrt::cpu
