// Which instance of attend a call takes. One unit of translation a format, so that they compile
// side by side.
#pragma once

#include "kernels/cuda/attend.cuh"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"

namespace attnrt::cuda {

// body(the instance), which is a pointer to a kernel.
template <Format kFormat, class Half, int kDimV, class Body>
const char* with_width(bool by_rows, Body body) {
  if constexpr (kDimV <= most_columns_by_rows(kFormat)) {
    if (by_rows) return body(attend<Tile<kFormat, kDimV, true>, Half, true>);
  }
  return body(attend<Tile<kFormat, kDimV, false>, Half, false>);
}
template <Format kFormat, class Half, class Body>
const char* with_kernel(const AttendKernel& k, Body body) {
  if constexpr (has_stretches(kFormat)) {
    return with_width<kFormat, Half, kStretched>(k.by_rows, body);
  } else {
    if (k.dim_v > 256) return with_width<kFormat, Half, 512>(k.by_rows, body);
    if (k.dim_v > 128) return with_width<kFormat, Half, 256>(k.by_rows, body);
    if (k.dim_v > 64) return with_width<kFormat, Half, 128>(k.by_rows, body);
    return with_width<kFormat, Half, 64>(k.by_rows, body);
  }
}

template <Format kFormat, class Half>
const char* launch_attend_of(const AttendKernel& k, const Grid& grid, const AttendParams& params) {
  return with_kernel<kFormat, Half>(k, [&](auto kernel) { return launch(kernel, grid, params); });
}
template <Format kFormat, class Half>
const char* prepare_attend_of(const AttendKernel& k, uint32_t most_shared_bytes) {
  return with_kernel<kFormat, Half>(
      k, [&](auto kernel) { return prepare(kernel, most_shared_bytes); });
}

}  // namespace attnrt::cuda
