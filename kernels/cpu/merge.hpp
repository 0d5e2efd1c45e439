// merge: results of the same queries over disjoint keys into one, weighted by exp(lse).
#pragma once

#include <math.h>

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

ATTNRT_INLINE float part_lse(const DenseView& lse, int64_t token, int64_t head) {
  float x;
  memcpy(&x, lse.data + token * lse.token_stride + head * lse.head_stride, sizeof(x));
  return x;
}

// log of the sum of exp(lse), in double: few numbers, and what they lose all elements lose.
inline double merged_lse(const MergeParams& p, int64_t token, int64_t head) {
  double top = -HUGE_VAL;
  for (int i = 0; i < p.parts; ++i) {
    const double x = double{part_lse(p.part_lse[i], token, head)};
    if (x > top) top = x;
  }
  const double base = top == -HUGE_VAL ? 0.0 : top;
  double total = 0.0;
  for (int i = 0; i < p.parts; ++i) {
    total += ::exp(double{part_lse(p.part_lse[i], token, head)} - base);
  }
  return total == 0.0 ? -HUGE_VAL : base + ::log(total);
}

inline void merge_row(const MergeParams& p, int64_t token, int64_t head, float* line) {
  const double lse = merged_lse(p, token, head);
  const int end = (p.dim + kW - 1) / kW * kW;
  for (int c = 0; c < end; c += kW) store(line + c, zero());
  for (int i = 0; i < p.parts && lse != -HUGE_VAL; ++i) {
    const double weight = ::exp(double{part_lse(p.part_lse[i], token, head)} - lse);
    if (weight == 0.0) continue;  // whatever it holds
    const Vf factor = splat(static_cast<float>(weight));
    const DenseView& part = p.part_out[i];
    const float* from = reinterpret_cast<const float*>(part.data + token * part.token_stride +
                                                       head * part.head_stride);
    int c = 0;
    for (; c + kW <= p.dim; c += kW) store(line + c, fma(factor, load(from + c), load(line + c)));
    for (; c < p.dim; ++c) line[c] += static_cast<float>(weight) * from[c];
  }
  uint8_t* out = p.out.data + token * p.out.token_stride + head * p.out.head_stride;
  narrow_row(p.out.dtype, line, p.dim, out);
  if (p.lse == nullptr) return;
  const float result = static_cast<float>(lse);
  memcpy(p.lse + token * p.lse_token_stride + head * p.lse_head_stride, &result, sizeof(result));
}

inline void merge_tokens(const MergeParams& p, int64_t begin, int64_t end) {
  alignas(64) float line[kMaxDim + kChunk];
  for (int64_t t = begin; t < end; ++t) {
    for (int64_t h = 0; h < p.heads; ++h) merge_row(p, t, h, line);
  }
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
