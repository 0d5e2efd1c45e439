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

// Rows of a block, and keys of a tile.
constexpr int block_rows(const AttendKernel& k) {
  return k.by_rows ? kWarps * kWarpRows : kWarpRows;
}
constexpr int tile_keys(const AttendKernel& k) {
  return k.dim_v <= 128 ? 64 : 32;
}

// All return null, or why the kernel can't be started.
const char* launch_attend(const AttendKernel& kernel, const Grid& grid, const AttendParams& params);
const char* launch_append(Format format, void* stream, const AppendParams& params);

}  // namespace attnrt::cuda
