// For instruction sets without a matrix unit: all products are those of stream.hpp and tile.hpp.
#pragma once

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

struct MatrixBuffers {};

constexpr MapFunction kExp2 = nullptr;  // softmax is in powers of e

inline void cut_matrix(const LayerParams&, Scratch&, MatrixBuffers&) {}

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
