// Kernels for AVX-512 F, BW, VL and DQ.
#define ATTNRT_CPU_ISA isa_avx512
#define ATTNRT_CPU_MATRIX "kernels/cpu/no_matrix.hpp"
#include "kernels/cpu/dot_none.hpp"
#include "kernels/cpu/load_avx512.hpp"
// Needs the above.
#include "kernels/cpu/impl.hpp"

namespace attnrt::cpu {

const KernelTable& avx512_table() {
  static constexpr KernelTable kTable = isa_avx512::make_table("avx512");
  return kTable;
}

}  // namespace attnrt::cpu
