// Which instance of attend a call takes. One unit of translation a format, so that they compile
// side by side.
#pragma once

#include "kernels/cuda/attend.cuh"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"

namespace attnrt::cuda {

template <Format kFormat, class Half, int kDimV, bool kByRows>
const char* launch_one(const Grid& grid, const AttendParams& params) {
  return launch(attend<Tile<kFormat, kDimV, kByRows>, Half, kByRows>, grid, params);
}

template <Format kFormat, class Half>
const char* launch_attend_of(const AttendKernel& k, const Grid& grid, const AttendParams& params) {
  if (k.dim_v > 256) return launch_one<kFormat, Half, 512, false>(grid, params);
  if (k.dim_v > 128) {
    if constexpr (most_columns_by_rows(kFormat) >= 256) {
      if (k.by_rows) return launch_one<kFormat, Half, 256, true>(grid, params);
    }
    return launch_one<kFormat, Half, 256, false>(grid, params);
  }
  if (k.dim_v > 64) {
    return k.by_rows ? launch_one<kFormat, Half, 128, true>(grid, params)
                     : launch_one<kFormat, Half, 128, false>(grid, params);
  }
  return k.by_rows ? launch_one<kFormat, Half, 64, true>(grid, params)
                   : launch_one<kFormat, Half, 64, false>(grid, params);
}

}  // namespace attnrt::cuda
