// The kernels as the plugin starts them: plain functions, so that it is compiled without nvcc.
#pragma once

#include <stdint.h>

#include "kernels/cuda/grid.hpp"
#include "kernels/cuda/layout.hpp"
#include "kernels/cuda/params.hpp"

namespace attnrt::cuda {

// Which of attend's kernels: how rows are stored, what is multiplied (q's own type), how many
// columns V has, and how the block's work is divided among its warps.
struct AttendKernel {
  Format format;
  Dtype half;  // kF16 or kBf16
  int32_t dim_v;
  bool by_rows;
};

// A warp's registers hold the sums of so many columns of its rows.
constexpr int most_columns_by_rows(Format f) {
  return element_bits(f) == 4 ? 128 : 256;
}

// Rows of a block, and keys of a tile.
constexpr int block_rows(const AttendKernel& k) {
  return k.by_rows ? kWarps * kWarpRows : kWarpRows;
}
constexpr int tile_keys(const AttendKernel& k) {
  return tile_keys(k.format, k.dim_v, k.by_rows);
}

// All return null, or why not. A kernel is prepared once for each device that it is started on,
// with the most shared memory that any launch of it has there.
const char* prepare_attend(const AttendKernel& kernel, uint32_t most_shared_bytes);
const char* prepare_append(Format format);
const char* launch_attend(const AttendKernel& kernel, const Grid& grid, const AttendParams& params);
const char* launch_append(Format format, void* stream, const AppendParams& params);

}  // namespace attnrt::cuda
