// Rows of q and out: widening, the permutation that kernels work in, rounding to the output type.
//
// A permuted row stands in chunks of 2 kW values, in the order in which load_pair gives them.
#pragma once

#include <string.h>

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

constexpr int kChunk = 2 * kW;
constexpr int kMaxDim = 1024;

constexpr int element_bytes(Format f) {
  return f == Format::kF32 ? 4 : f == Format::kF16 || f == Format::kBf16 ? 2 : 1;
}
// Bytes that n elements of a row take, scales apart.
constexpr int row_bytes(Format f, int n) {
  if (f == Format::kDsMlaV32) return 656;
  if (f == Format::kDsMlaV4) return 576;
  return has_block_scales(f) || f == Format::kInt4 ? n / 2 : n * element_bytes(f);
}
constexpr int element_bytes(Dtype d) {
  return d == Dtype::kF32 ? 4 : 2;
}

// Stored values come out of load_pair divided by this; not where tables of bytes give them whole.
constexpr float value_factor(Format f) {
#if defined(__AVX512VBMI__)
  if (f != Format::kE5m2) return 1.0F;
#endif
  if (f == Format::kE4m3 || f == Format::kFp8Row) return 256.0F;
  return f == Format::kE4m3Fnuz ? 128.0F : 1.0F;
}

// Staged values are divided by this: DeepSeek's scales reach past f32's largest number.
constexpr float staged_factor(Format f) {
  return is_ds_mla(f) ? 256.0F : 1.0F;
}

ATTNRT_INLINE int padded(int n) {
  return (n + kChunk - 1) / kChunk * kChunk;
}

ATTNRT_INLINE Vf widen_vector(Dtype dtype, const uint8_t* p) {
  if (dtype == Dtype::kF16) return load_f16(p);
  if (dtype == Dtype::kBf16) return floats(shl<16>(load_u16(p)));
  return load(reinterpret_cast<const float*>(p));
}

// n values (a multiple of 8) to floats, in order. Reads no byte beyond them.
inline void widen_row(Dtype dtype, const uint8_t* from, int n, float* to) {
  const int bytes = element_bytes(dtype);
  int i = 0;
  for (; i + kW <= n; i += kW) store(to + i, widen_vector(dtype, from + i * bytes));
  if (i == n) return;
  alignas(64) uint8_t rest[kW * 4] = {};
  alignas(64) float wide[kW];
  memcpy(rest, from + i * bytes, static_cast<size_t>((n - i) * bytes));
  store(wide, widen_vector(dtype, rest));
  memcpy(to + i, wide, static_cast<size_t>(n - i) * sizeof(float));
}

ATTNRT_INLINE void narrow_vector(Dtype dtype, uint8_t* p, Vf x) {
  if (dtype == Dtype::kF16) return store_codes<Format::kF16>(p, x);
  if (dtype == Dtype::kBf16) return store_codes<Format::kBf16>(p, x);
  store_codes<Format::kF32>(p, x);
}

// n floats (a multiple of 8) to the output type. Writes no byte beyond them.
inline void narrow_row(Dtype dtype, const float* from, int n, uint8_t* to) {
  const int bytes = element_bytes(dtype);
  int i = 0;
  for (; i + kW <= n; i += kW) narrow_vector(dtype, to + i * bytes, load(from + i));
  if (i == n) return;
  alignas(64) uint8_t rest[kW * 4];
  alignas(64) float wide[kW] = {};
  memcpy(wide, from + i, static_cast<size_t>(n - i) * sizeof(float));
  narrow_vector(dtype, rest, load(wide));
  memcpy(to + i * bytes, rest, static_cast<size_t>((n - i) * bytes));
}

// In order to permuted; zeros up to padded(n).
template <Format F>
inline void permute_row(const float* from, int n, float* to) {
  const int all = padded(n);
  if constexpr (!interleaved(F)) {
    memcpy(to, from, static_cast<size_t>(n) * sizeof(float));
    for (int i = n; i < all; ++i) to[i] = 0.0F;
    return;
  }
  for (int c = 0; c < all; c += kChunk) {
    for (int i = 0; i < kW; ++i) {
      const int even = c + 2 * i;
      to[c + i] = even < n ? from[even] : 0.0F;
      to[c + kW + i] = even < n ? from[even + 1] : 0.0F;
    }
  }
}

// Permuted to in order, times a factor.
template <Format F>
inline void restore_row(const float* from, int n, float factor, float* to) {
  const int all = padded(n);
  for (int c = 0; c < all; c += kChunk) {
    for (int i = 0; i < kW; ++i) {
      const int first = interleaved(F) ? c + 2 * i : c + i;
      const int second = interleaved(F) ? first + 1 : first + kW;
      if (first < n) to[first] = from[c + i] * factor;
      if (second < n) to[second] = from[c + kW + i] * factor;
    }
  }
}

// In order, times a factor; up to a full vector more.
inline void scale_row(const float* from, int n, float factor, float* to) {
  for (int i = 0; i < n; i += kW) store(to + i, mul(load(from + i), splat(factor)));
}

// The values of a stored row, in order.
template <Format F>
inline void decode_row_of(const uint8_t* row, int n, float* out) {
  alignas(64) float wide[kMaxDim + kChunk];
  const int bytes = element_bytes(F);
  for (int i = 0; i < n; i += kChunk) {
    Vf a;
    Vf b;
    if (i + kChunk <= n) {
      load_pair<F>(row + i * bytes, a, b);
    } else {
      load_pair_tail<F>(row + i * bytes, n - i, a, b);
    }
    store(wide + i, a);
    store(wide + i + kW, b);
  }
  restore_row<F>(wide, n, value_factor(F), out);
}

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
