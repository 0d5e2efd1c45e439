// Kernels for AArch64, whose base has NEON.
#define ATTNRT_CPU_ISA isa_neon
#define ATTNRT_CPU_MATRIX "kernels/cpu/no_matrix.hpp"
#include "kernels/cpu/dot_none.hpp"
#include "kernels/cpu/load_neon.hpp"
// Needs the above.
#include "kernels/cpu/impl.hpp"

namespace attnrt::cpu {

const KernelTable& neon_table() {
  static constexpr KernelTable kTable = isa_neon::make_table("neon");
  return kTable;
}

}  // namespace attnrt::cpu
