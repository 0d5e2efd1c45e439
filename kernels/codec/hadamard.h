// The randomised Hadamard rotation of the int4 formats, as vLLM defines it
// (vllm/v1/attention/ops/int4_per_token_head.py, single_rht):
//   rotate(x) = H (s * x), unrotate(y) = s * (H y) / n
// H is the n x n Walsh-Hadamard matrix of +1 and -1 in Sylvester's order, not normalised (H H = n),
// n a power of two; s is a fixed vector of signs: the first n draws of
// torch.bernoulli(0.5) from a CPU generator seeded with 0x9E3779B9, 1 giving +1 and 0 giving -1.
// That is std::mt19937(0x9E3779B9), a draw being +1 where bit 23 of the output is 0.
// Scores are kept by rotating the query too: q . k = rotate(q) . rotate(k) / n.
#ifndef ATTNRT_CODEC_HADAMARD_H_
#define ATTNRT_CODEC_HADAMARD_H_

#include "kernels/codec/hd.h"

namespace attnrt::codec {

inline constexpr int32_t kMaxRotation = 1024;

constexpr bool rotation_accepts(int32_t n) {
  return n >= 2 && n <= kMaxRotation && (n & (n - 1)) == 0;
}

// The signs of elements 32 word … 32 word + 31, from the lowest bit on: 1 where it is -1.
ATTNRT_HD constexpr uint32_t rotation_signs(int32_t word) {
  constexpr uint32_t kNegative[kMaxRotation / 32] = {
      0x9A8CA6F2U, 0x7F7FCA4EU, 0x59BBC293U, 0x9480ABC7U, 0xB55B747EU, 0x54503BBEU, 0xCDF467B7U,
      0x05DFBC5FU, 0xB291E3CCU, 0x57563834U, 0xE46AE225U, 0x67FC4CA6U, 0xCFC78691U, 0x32D9DFF1U,
      0x365FDB89U, 0x75625346U, 0x668AE4E3U, 0xD9CF73A9U, 0xEB0082B6U, 0x0CA36FB4U, 0xE29E7333U,
      0xA50D373FU, 0x0F3CFCEBU, 0x1D541DFEU, 0xB2E4CF05U, 0x1E32D587U, 0x237771ACU, 0xC78728FDU,
      0x4BEE5A90U, 0x56A40DA0U, 0xBB9454F0U, 0xF6680674U};
  return kNegative[word];
}
ATTNRT_HD constexpr bool rotation_is_negative(int32_t i) {
  return ((rotation_signs(i >> 5) >> (i & 31)) & 1U) != 0;
}

// In place; sums and differences of pairs at distance 1, 2, 4, …: this order fixes the rounding.
template <class T>
ATTNRT_HD void hadamard(T* x, int32_t n) {
  for (int32_t half = 1; half < n; half *= 2) {
    for (int32_t start = 0; start < n; start += 2 * half) {
      for (int32_t i = start; i < start + half; ++i) {
        const T a = x[i];
        const T b = x[i + half];
        x[i] = a + b;
        x[i + half] = a - b;
      }
    }
  }
}

template <class T>
ATTNRT_HD void flip_signs(T* x, int32_t n) {
  for (int32_t i = 0; i < n; ++i) {
    if (rotation_is_negative(i)) x[i] = -x[i];
  }
}

template <class T>
ATTNRT_HD void rotate(T* x, int32_t n) {
  flip_signs(x, n);
  hadamard(x, n);
}

template <class T>
ATTNRT_HD void unrotate(T* y, int32_t n) {
  hadamard(y, n);
  flip_signs(y, n);
  const T share = T(1) / T(n);  // a power of two: exact
  for (int32_t i = 0; i < n; ++i) y[i] *= share;
}

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_HADAMARD_H_
