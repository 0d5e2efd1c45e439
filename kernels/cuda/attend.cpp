#include "kernels/cuda/kernels.hpp"

namespace attnrt::cuda {

// Compiled one by one (attend_*.cu).
struct F16;
struct Bf16;
template <Format kFormat, class Half>
const char* launch_attend_of(const AttendKernel&, const Grid&, const AttendParams&);

const char* launch_attend(const AttendKernel& k, const Grid& grid, const AttendParams& p) {
  const bool f16 = k.half == Dtype::kF16;
  switch (k.format) {
    case Format::kF16:
      return launch_attend_of<Format::kF16, F16>(k, grid, p);
    case Format::kBf16:
      return launch_attend_of<Format::kBf16, Bf16>(k, grid, p);
    case Format::kE4m3:
      return f16 ? launch_attend_of<Format::kE4m3, F16>(k, grid, p)
                 : launch_attend_of<Format::kE4m3, Bf16>(k, grid, p);
    case Format::kE5m2:
      return f16 ? launch_attend_of<Format::kE5m2, F16>(k, grid, p)
                 : launch_attend_of<Format::kE5m2, Bf16>(k, grid, p);
    case Format::kInt8:
      return launch_attend_of<Format::kInt8, Bf16>(k, grid, p);
    default:
      return launch_attend_of<Format::kNvfp4, Bf16>(k, grid, p);
  }
}

}  // namespace attnrt::cuda
