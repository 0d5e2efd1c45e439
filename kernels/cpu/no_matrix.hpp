// For instruction sets without a matrix unit: all products are those of stream.hpp and tile.hpp.
#pragma once

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

struct MatrixBuffers {};

inline int64_t cut_matrix(const LayerParams&, float*, MatrixBuffers&) {
  return 0;
}

template <Format F>
inline bool uses_matrix(const AttendParams&) {
  return false;
}

template <Format F>
inline bool attend_on_matrix(const AttendParams&, const WorkItem&, MatrixBuffers&, Buffers&) {
  return false;
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
