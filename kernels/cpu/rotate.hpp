// The randomised Hadamard rotation of rows, bit-equal to kernels/codec/hadamard.h, which says what
// it is. Rows of n floats, n a power of two and at least kW.
#pragma once

// For the signs, which are read when this is compiled: none of its functions ends up in here.
#include "kernels/codec/hadamard.h"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

struct RotationSigns {
  alignas(64) float at[kMaxDim];
};
constexpr RotationSigns make_rotation_signs() {
  RotationSigns signs{};
  for (int i = 0; i < kMaxDim; ++i) signs.at[i] = codec::rotation_is_negative(i) ? -1.0F : 1.0F;
  return signs;
}
static_assert(kMaxDim == codec::kMaxRotation);
constexpr RotationSigns kRotationSigns = make_rotation_signs();

// 1 where bit `distance` of the lane's number is 0, else -1.
struct LaneSigns {
  alignas(64) float at[kW];
};
constexpr LaneSigns make_lane_signs(int distance) {
  LaneSigns signs{};
  for (int i = 0; i < kW; ++i) signs.at[i] = (i & distance) != 0 ? -1.0F : 1.0F;
  return signs;
}
template <int kDistance>
inline constexpr LaneSigns kLaneSigns = make_lane_signs(kDistance);

// Sums and differences of lanes at distance kDistance, 2 kDistance, … within a vector. The products
// are exact, so an fma rounds as a sum does.
template <int kDistance = 1>
ATTNRT_INLINE Vf mix_lanes(Vf x) {
  if constexpr (kDistance == kW) {
    return x;
  } else {
    return mix_lanes<2 * kDistance>(fma(x, load(kLaneSigns<kDistance>.at), swapped<kDistance>(x)));
  }
}

inline void hadamard(float* x, int n) {
  for (int i = 0; i < n; i += kW) store(x + i, mix_lanes(load(x + i)));
  for (int half = kW; half < n; half *= 2) {
    for (int start = 0; start < n; start += 2 * half) {
      for (int i = start; i < start + half; i += kW) {
        const Vf a = load(x + i);
        const Vf b = load(x + i + half);
        store(x + i, add(a, b));
        store(x + i + half, sub(a, b));
      }
    }
  }
}

inline void flip_signs(float* x, int n, float factor) {
  for (int i = 0; i < n; i += kW) {
    store(x + i, mul(mul(load(x + i), load(kRotationSigns.at + i)), splat(factor)));
  }
}

inline void rotate_row(float* x, int n) {
  flip_signs(x, n, 1.0F);
  hadamard(x, n);
}

// A query for rotated keys: q . k = rotated query . rotated key.
inline void rotate_query(float* x, int n) {
  flip_signs(x, n, 1.0F / static_cast<float>(n));  // a power of two: exact
  hadamard(x, n);
}

inline void unrotate_row(float* y, int n) {
  hadamard(y, n);
  flip_signs(y, n, 1.0F / static_cast<float>(n));
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
