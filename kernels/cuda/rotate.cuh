// The rotation of rows (kernels/codec/hadamard.h) on fragments and rows of warps: queries are
// turned as keys were, sums are turned back. Stages come in the codec's order, so rows have its
// bits.
#pragma once

#include "kernels/codec/hadamard.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/layout.hpp"

namespace attnrt::cuda {

// As codec::rotation_signs, whose table would stand on a kernel's stack.
struct RotationSigns {
  uint32_t words[512 / 32];
};
constexpr RotationSigns make_rotation_signs() {
  RotationSigns signs{};
  for (int i = 0; i < 512 / 32; ++i) signs.words[i] = codec::rotation_signs(i);
  return signs;
}
ATTNRT_DEVICE uint32_t rotation_signs(int word) {
  static constexpr RotationSigns kSigns = make_rotation_signs();
  return kSigns.words[word];
}

ATTNRT_DEVICE void mix(float& a, float& b) {
  const float x = a;
  a = x + b;
  b = x - b;
}
// The same of two lanes' values: `mask` is one bit of their number.
ATTNRT_DEVICE void mix_lanes(float& x, int mask) {
  const float other = shuffle_xor(x, mask);
  x = (thread_index() & mask) != 0 ? other - x : x + other;
}

// A row of n values, a power of 2 from 64 on, of which a lane has those at 32 c + lane.
template <int kColumns>
ATTNRT_DEVICE void flip_signs(float (&x)[kColumns]) {
  const int lane = thread_index() % 32;
  ATTNRT_UNROLL
  for (int c = 0; c < kColumns; ++c) {
    if ((rotation_signs(c) >> lane & 1U) != 0) x[c] = -x[c];
  }
}
template <int kColumns>
ATTNRT_DEVICE void rotate_row(float (&x)[kColumns], int n) {
  flip_signs(x);
  ATTNRT_UNROLL
  for (int c = 0; c < kColumns; ++c) {
    ATTNRT_UNROLL
    for (int mask = 1; mask < 32; mask *= 2) mix_lanes(x[c], mask);
  }
  ATTNRT_UNROLL
  for (int half = 1; half < kColumns; half *= 2) {
    if (2 * half * 32 > n) continue;
    ATTNRT_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      if ((c & half) == 0) mix(x[c], x[c + half]);
    }
  }
}

// Sums of two rows r over 32 columns: of column 8 (lane % 4) + 4 i + j at [j][2 r + i].
using RotatedChunk = float[4][4];

ATTNRT_DEVICE void mix_chunk(RotatedChunk& x) {
  ATTNRT_UNROLL
  for (int i = 0; i < 4; ++i) {
    mix(x[0][i], x[1][i]);
    mix(x[2][i], x[3][i]);
    mix(x[0][i], x[2][i]);
    mix(x[1][i], x[3][i]);
  }
  ATTNRT_UNROLL
  for (int j = 0; j < 4; ++j) {
    mix(x[j][0], x[j][1]);
    mix(x[j][2], x[j][3]);
    ATTNRT_UNROLL
    for (int i = 0; i < 4; ++i) {
      mix_lanes(x[j][i], 1);
      mix_lanes(x[j][i], 2);
    }
  }
}

// The chunks of four warps with each other, by way of 16 numbers a thread in shared memory. All
// threads of the block call it; who reads that memory then needs no barrier.
ATTNRT_DEVICE void mix_warps(RotatedChunk& x, SharedAddress scratch) {
  static_assert(kWarps == 4);
  const int warp = thread_index() / 32;
  const auto at = [&](int of, int n) {
    return scratch + static_cast<SharedAddress>(n * kThreads + of * 32 + thread_index() % 32) * 4;
  };
  ATTNRT_UNROLL
  for (int n = 0; n < 16; ++n) store_shared<float>(at(warp, n), x[n / 4][n % 4]);
  sync_block();
  ATTNRT_UNROLL
  for (int n = 0; n < 16; ++n) {
    float of[kWarps];
    ATTNRT_UNROLL
    for (int w = 0; w < kWarps; ++w) of[w] = load_shared<float>(at(w, n));
    mix(of[0], of[1]);
    mix(of[2], of[3]);
    mix(of[0], of[2]);
    mix(of[1], of[3]);
    x[n / 4][n % 4] = warp < 2 ? (warp == 0 ? of[0] : of[1]) : (warp == 2 ? of[2] : of[3]);
  }
  sync_block();
}
constexpr int kMixedBytes = 16 * kThreads * 4;

// A row's chunks that a thread has, `step` of the row's apart.
template <int kChunks>
ATTNRT_DEVICE void mix_chunks(float (&x)[kChunks][4][4], int step, int chunks) {
  ATTNRT_UNROLL
  for (int half = 1; half < kChunks; half *= 2) {
    if (2 * half * step > chunks) continue;
    ATTNRT_UNROLL
    for (int c = 0; c < kChunks; ++c) {
      if ((c & half) != 0) continue;
      ATTNRT_UNROLL
      for (int n = 0; n < 16; ++n) mix(x[c][n / 4][n % 4], x[c + half][n / 4][n % 4]);
    }
  }
}

// Signs and the row's n-th part, which is exact: the end of turning back.
ATTNRT_DEVICE void finish_chunk(RotatedChunk& x, uint32_t signs, float share) {
  const uint32_t own = signs >> (thread_index() % 4 * 8);
  ATTNRT_UNROLL
  for (int n = 0; n < 16; ++n) {
    const int column = n % 2 * 4 + n / 4;
    x[n / 4][n % 4] *= (own >> column & 1U) != 0 ? -share : share;
  }
}

// Element i of a row before it was rotated, times n and its scale: a whole number. `code(t)`: the
// stored one less its zero point.
template <class Code>
ATTNRT_DEVICE int unrotated_element(int i, int n, Code code) {
  int sum = 0;
  for (int t = 0; t < n; ++t) {
    const int odd = count_bits(static_cast<uint32_t>(i & t)) & 1;
    sum += odd != 0 ? -code(t) : code(t);
  }
  return (rotation_signs(i / 32) >> (i % 32) & 1U) != 0 ? -sum : sum;
}

}  // namespace attnrt::cuda
