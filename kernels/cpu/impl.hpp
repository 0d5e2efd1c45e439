// All kernels of one instruction set, from the headers that the including file has chosen:
// ATTNRT_CPU_ISA names the namespace, simd_*.hpp and load_*.hpp come before this file,
// ATTNRT_CPU_MATRIX is attend_matrix.hpp, attend_dots.hpp, attend_nibbles.hpp or no_matrix.hpp.
#pragma once

// In this order: each file uses what stands before it.
// clang-format off
#include "kernels/cpu/table.hpp"
#include "kernels/cpu/math.hpp"
#include "kernels/cpu/encode.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/cpu/rotate.hpp"
#include "kernels/cpu/mask.hpp"
#include "kernels/cpu/softmax.hpp"
#include "kernels/cpu/pages.hpp"
#include "kernels/cpu/stream.hpp"
#include "kernels/cpu/stage.hpp"
#include "kernels/cpu/tile.hpp"
#include "kernels/cpu/attend.hpp"
#include "kernels/cpu/attend_int4.hpp"
#include ATTNRT_CPU_MATRIX
#include "kernels/cpu/finish.hpp"
#include "kernels/cpu/append_int4.hpp"
#include "kernels/cpu/append.hpp"
#include "kernels/cpu/merge.hpp"
// clang-format on

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// Calls body<F>() for the format.
template <class Body>
ATTNRT_INLINE auto with_format(Format format, Body body) {
  switch (format) {
    case Format::kF16:
      return body.template operator()<Format::kF16>();
    case Format::kBf16:
      return body.template operator()<Format::kBf16>();
    case Format::kE4m3:
      return body.template operator()<Format::kE4m3>();
    case Format::kE5m2:
      return body.template operator()<Format::kE5m2>();
    case Format::kE4m3Fnuz:
      return body.template operator()<Format::kE4m3Fnuz>();
    case Format::kInt8:
      return body.template operator()<Format::kInt8>();
    case Format::kFp8Row:
      return body.template operator()<Format::kFp8Row>();
    case Format::kNvfp4:
      return body.template operator()<Format::kNvfp4>();
    case Format::kNvfp4Swizzled:
      return body.template operator()<Format::kNvfp4Swizzled>();
    case Format::kDsMlaV32:
      return body.template operator()<Format::kDsMlaV32>();
    case Format::kDsMlaV4:
      return body.template operator()<Format::kDsMlaV4>();
    case Format::kDsMlaV41:
      return body.template operator()<Format::kDsMlaV41>();
    case Format::kInt4:
      return body.template operator()<Format::kInt4>();
    default:
      return body.template operator()<Format::kF32>();
  }
}

int64_t table_scratch(const LayerParams& layer) {
  Scratch counted(nullptr);
  Buffers b;
  MatrixBuffers m;
  cut(layer, counted, b);
  cut_matrix(layer, counted, m);
  return counted.floats();
}

void table_attend(const AttendParams& p, const WorkItem& item, float* scratch) {
  Buffers b;
  MatrixBuffers m;
  Scratch buffers(scratch);
  cut(p.layer, buffers, b);
  cut_matrix(p.layer, buffers, m);
  with_format(p.layer.format, [&]<Format F>() { attend_item<F>(p, item, m, b); });
}

void table_finish(const AttendParams& p, const SplitUnit& unit, float* scratch) {
  Buffers b;
  Scratch buffers(scratch);
  cut(p.layer, buffers, b);
  with_format(p.layer.format, [&]<Format F>() { finish_unit<F>(p, unit, b); });
}

uint64_t table_append(const AppendParams& p, int64_t begin, int64_t end) {
  return with_format(p.format, [&]<Format F>() { return append_rows<F>(p, begin, end); });
}

void table_merge(const MergeParams& p, int64_t begin, int64_t end) {
  merge_tokens(p, begin, end);
}

template <class Function>
void map(const float* in, float* out, int64_t n, Function function) {
  alignas(64) float line[kW] = {};
  for (int64_t i = 0; i < n; i += kW) {
    const size_t bytes = static_cast<size_t>(n - i < kW ? n - i : kW) * sizeof(float);
    memcpy(line, in + i, bytes);
    store(line, function(load(line)));
    memcpy(out + i, line, bytes);
  }
}

void table_exp(const float* in, float* out, int64_t n) {
  map(in, out, n, [](Vf x) { return exp(x); });
}

void table_tanh(const float* in, float* out, int64_t n) {
  map(in, out, n, [](Vf x) { return tanh(x); });
}

void table_decode_row(Format format, const uint8_t* row, int32_t n, float* out) {
  with_format(format, [&]<Format F>() {
    if constexpr (!is_staged(F)) decode_row_of<F>(row, n, out);
  });
}

constexpr KernelTable make_table(const char* name) {
  return {name,        table_scratch, table_attend, table_finish, table_append,
          table_merge, table_exp,     kExp2,        table_tanh,   table_decode_row};
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
