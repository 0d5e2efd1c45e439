#include "kernels/cuda/kernels.hpp"

namespace attnrt::cuda {

// Compiled one by one (attend_*.cu).
struct F16;
struct Bf16;
template <Format kFormat, class Half>
const char* launch_attend_of(const AttendKernel&, const Grid&, const AttendParams&);
template <Format kFormat, class Half>
const char* prepare_attend_of(const AttendKernel&, uint32_t);

namespace {

// body<format, half>() for the pairs that there are.
template <class Body>
const char* with_formats(const AttendKernel& k, Body body) {
  const bool f16 = k.half == Dtype::kF16;
  switch (k.format) {
    case Format::kF16:
      return body.template operator()<Format::kF16, F16>();
    case Format::kBf16:
      return body.template operator()<Format::kBf16, Bf16>();
    case Format::kE4m3:
      return f16 ? body.template operator()<Format::kE4m3, F16>()
                 : body.template operator()<Format::kE4m3, Bf16>();
    case Format::kE4m3Rows:
      return f16 ? body.template operator()<Format::kE4m3Rows, F16>()
                 : body.template operator()<Format::kE4m3Rows, Bf16>();
    case Format::kE5m2:
      return f16 ? body.template operator()<Format::kE5m2, F16>()
                 : body.template operator()<Format::kE5m2, Bf16>();
    case Format::kInt8:
      return f16 ? body.template operator()<Format::kInt8, F16>()
                 : body.template operator()<Format::kInt8, Bf16>();
    case Format::kDsMlaV32:
      return body.template operator()<Format::kDsMlaV32, Bf16>();
    case Format::kInt4:
      return f16 ? body.template operator()<Format::kInt4, F16>()
                 : body.template operator()<Format::kInt4, Bf16>();
    default:
      return f16 ? body.template operator()<Format::kNvfp4, F16>()
                 : body.template operator()<Format::kNvfp4, Bf16>();
  }
}

}  // namespace

const char* launch_attend(const AttendKernel& k, const Grid& grid, const AttendParams& p) {
  return with_formats(
      k, [&]<Format kFormat, class Half>() { return launch_attend_of<kFormat, Half>(k, grid, p); });
}

const char* prepare_attend(const AttendKernel& k, uint32_t most_shared_bytes) {
  return with_formats(k, [&]<Format kFormat, class Half>() {
    return prepare_attend_of<kFormat, Half>(k, most_shared_bytes);
  });
}

}  // namespace attnrt::cuda
