#include "kernels/cuda/append.cuh"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"

namespace attnrt::cuda {
namespace {

template <class Body>
const char* with_kernel(Format format, Body body) {
  switch (format) {
    case Format::kF16:
      return body(append<Format::kF16>);
    case Format::kBf16:
      return body(append<Format::kBf16>);
    case Format::kE4m3:
    case Format::kE4m3Rows:
      return body(append<Format::kE4m3>);  // the view says whether rows have scales
    case Format::kE5m2:
      return body(append<Format::kE5m2>);
    case Format::kInt8:
      return body(append<Format::kInt8>);
    case Format::kInt4:
      return body(append<Format::kInt4>);
    case Format::kDsMlaV32:
      return body(append<Format::kDsMlaV32>);
    default:
      return body(append<Format::kNvfp4>);
  }
}

}  // namespace

const char* prepare_append(Format format) {
  return with_kernel(format, [](auto kernel) { return prepare(kernel, 0); });
}

const char* launch_append(Format format, void* stream, const AppendParams& p) {
  constexpr int kWarpsOf = kAppendThreads / 32;
  const int64_t rows = p.tokens * p.heads * (p.dim_v == 0 ? 1 : 2);
  const Grid grid{static_cast<int>((rows + kWarpsOf - 1) / kWarpsOf), kAppendThreads, 0, stream};
  return with_kernel(format, [&](auto kernel) { return launch(kernel, grid, p); });
}

}  // namespace attnrt::cuda
