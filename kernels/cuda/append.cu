#include "kernels/cuda/append.cuh"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"

namespace attnrt::cuda {

const char* launch_append(Format format, void* stream, const AppendParams& p) {
  constexpr int kWarpsOf = kAppendThreads / 32;
  const int64_t rows = p.tokens * p.heads * (p.dim_v == 0 ? 1 : 2);
  const Grid grid{static_cast<int>((rows + kWarpsOf - 1) / kWarpsOf), kAppendThreads, 0, stream};
  switch (format) {
    case Format::kF16:
      return launch(append<Format::kF16>, grid, p);
    case Format::kBf16:
      return launch(append<Format::kBf16>, grid, p);
    case Format::kE4m3:
      return launch(append<Format::kE4m3>, grid, p);
    case Format::kE5m2:
      return launch(append<Format::kE5m2>, grid, p);
    case Format::kInt8:
      return launch(append<Format::kInt8>, grid, p);
    default:
      return launch(append<Format::kNvfp4>, grid, p);
  }
}

}  // namespace attnrt::cuda
