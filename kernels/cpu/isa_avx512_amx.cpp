// Kernels for AVX-512 F, BW, VL and DQ with VBMI, VNNI, AVX512-BF16 and AMX-BF16.
#define ATTNRT_CPU_ISA isa_avx512_amx
#define ATTNRT_CPU_MATRIX "kernels/cpu/attend_matrix.hpp"
#include "kernels/cpu/dot_avx512bf16.hpp"
#include "kernels/cpu/load_avx512.hpp"
#if defined(ATTNRT_CPU_EMULATED_AMX)
#include "tests/plugins/cpu/matrix_emulated.hpp"
#else
#include "kernels/cpu/matrix_amx.hpp"
#endif
// Needs the above.
#include "kernels/cpu/impl.hpp"

namespace attnrt::cpu {

const KernelTable& avx512_amx_table() {
  static constexpr KernelTable kTable = isa_avx512_amx::make_table("avx512_amx");
  return kTable;
}

}  // namespace attnrt::cpu
