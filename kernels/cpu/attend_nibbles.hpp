// On AVX2 few query rows over codes of four bits go straight over the pages: int4 in whole numbers
// where queries are bf16, nvfp4 in f32. All other work is as in attend.hpp.
#pragma once

#include "kernels/cpu/attend_blocks.hpp"
#include "kernels/cpu/attend_whole.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// Nothing beside the buffers of attend.hpp.
struct MatrixBuffers {};

constexpr MapFunction kExp2 = nullptr;  // softmax is in powers of e

inline void cut_matrix(const LayerParams&, Scratch&, MatrixBuffers&) {}

template <Format F>
inline bool uses_matrix(const AttendParams& p) {
  return has_block_scales(F) || (is_rotated(F) && p.q.dtype == Dtype::kBf16);
}

template <Format F>
inline bool attend_on_matrix(const AttendParams& p, const WorkItem& item, MatrixBuffers&,
                             Buffers& b) {
  if (item.rows.q_count * p.layer.group > kStreamLimit) return false;
  if constexpr (has_block_scales(F)) return attend_block_rows<F>(p, item, b);
  if constexpr (is_rotated(F)) return attend_whole_rows(p, item, b);
  return false;
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
