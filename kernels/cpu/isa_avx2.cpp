// Kernels for AVX2, FMA and F16C.
#define ATTNRT_CPU_ISA isa_avx2
#define ATTNRT_CPU_MATRIX "kernels/cpu/attend_nibbles.hpp"
#include "kernels/cpu/dot_none.hpp"
#include "kernels/cpu/load_avx2.hpp"
// Needs the above.
#include "kernels/cpu/impl.hpp"

namespace attnrt::cpu {

const KernelTable& avx2_table() {
  static constexpr KernelTable kTable = isa_avx2::make_table("avx2");
  return kTable;
}

}  // namespace attnrt::cpu
