// Kernels for any CPU: the compiler's own vectors.
#define ATTNRT_CPU_ISA isa_portable
#define ATTNRT_CPU_MATRIX "kernels/cpu/no_matrix.hpp"
#include "kernels/cpu/dot_none.hpp"
#include "kernels/cpu/load_portable.hpp"
// Needs the above.
#include "kernels/cpu/impl.hpp"

namespace attnrt::cpu {

const KernelTable& portable_table() {
  static constexpr KernelTable kTable = isa_portable::make_table("portable");
  return kTable;
}

}  // namespace attnrt::cpu
