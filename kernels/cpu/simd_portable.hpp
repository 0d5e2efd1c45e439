// Vectors of 4 floats in the compiler's own vector extension: SSE2, NEON or whatever the target
// has.
//
// This file says what the names mean that every instruction set's header offers: Vf and Vi are kW
// floats and 32-bit integers; kGemmRows, kStreamRows, kStreamSums (accumulators) and kStreamChunks
// are the register blocking, kStreamKeys (a multiple of 4) the keys that a head is multiplied with
// before the next head. min and max return their second argument where one is NaN. fma may round
// twice here.
#pragma once

#include <stdint.h>
#include <string.h>

#define ATTNRT_INLINE static inline __attribute__((always_inline))

namespace attnrt::cpu::ATTNRT_CPU_ISA {

constexpr int kW = 4;
constexpr int kGemmRows = 4;
constexpr int kStreamRows = 2;
constexpr int kStreamSums = 8;
constexpr int kStreamChunks = 2;
constexpr int kStreamKeys = 4;

using Vf = float __attribute__((vector_size(16)));
using Vi = int32_t __attribute__((vector_size(16)));
using Vu = uint32_t __attribute__((vector_size(16)));
using Mask = Vi;

ATTNRT_INLINE Vf splat(float x) {
  return Vf{x, x, x, x};
}
ATTNRT_INLINE Vf zero() {
  return splat(0.0F);
}
ATTNRT_INLINE Vf load(const float* p) {
  Vf x;
  memcpy(&x, p, sizeof(x));
  return x;
}
ATTNRT_INLINE void store(float* p, Vf x) {
  memcpy(p, &x, sizeof(x));
}
ATTNRT_INLINE Vf add(Vf a, Vf b) {
  return a + b;
}
ATTNRT_INLINE Vf sub(Vf a, Vf b) {
  return a - b;
}
ATTNRT_INLINE Vf mul(Vf a, Vf b) {
  return a * b;
}
ATTNRT_INLINE Vf div(Vf a, Vf b) {
  return a / b;
}
ATTNRT_INLINE Vf fma(Vf a, Vf b, Vf c) {
  return a * b + c;
}
ATTNRT_INLINE Mask less(Vf a, Vf b) {
  return a < b;
}
ATTNRT_INLINE Mask unordered(Vf a) {
  return a != a;
}
ATTNRT_INLINE Vf select(Mask m, Vf yes, Vf no) {
  return m ? yes : no;
}
ATTNRT_INLINE Vf max(Vf a, Vf b) {
  return a > b ? a : b;
}
ATTNRT_INLINE Vf min(Vf a, Vf b) {
  return a < b ? a : b;
}
// Bit i: whether element i is true.
ATTNRT_INLINE uint32_t bits_of(Mask m) {
  return static_cast<uint32_t>((m[0] & 1) | (m[1] & 2) | (m[2] & 4) | (m[3] & 8));
}
ATTNRT_INLINE int count(Mask m) {
  return -(m[0] + m[1] + m[2] + m[3]);
}

ATTNRT_INLINE Vi splat_i(int32_t x) {
  return Vi{x, x, x, x};
}
ATTNRT_INLINE Vi iota() {
  return Vi{0, 1, 2, 3};
}
ATTNRT_INLINE Vi add_i(Vi a, Vi b) {
  return reinterpret_cast<Vi>(reinterpret_cast<Vu>(a) + reinterpret_cast<Vu>(b));
}
ATTNRT_INLINE Vi sub_i(Vi a, Vi b) {
  return reinterpret_cast<Vi>(reinterpret_cast<Vu>(a) - reinterpret_cast<Vu>(b));
}
ATTNRT_INLINE Vi and_i(Vi a, Vi b) {
  return a & b;
}
ATTNRT_INLINE Vi or_i(Vi a, Vi b) {
  return a | b;
}
ATTNRT_INLINE Mask greater_i(Vi a, Vi b) {
  return a > b;
}
ATTNRT_INLINE Mask equal_i(Vi a, Vi b) {
  return a == b;
}
ATTNRT_INLINE Vi select_i(Mask m, Vi yes, Vi no) {
  return m ? yes : no;
}
template <int N>
ATTNRT_INLINE Vi shl(Vi a) {
  return reinterpret_cast<Vi>(reinterpret_cast<Vu>(a) << N);
}
template <int N>
ATTNRT_INLINE Vi shr(Vi a) {
  return reinterpret_cast<Vi>(reinterpret_cast<Vu>(a) >> N);
}
ATTNRT_INLINE Vi bits(Vf a) {
  return reinterpret_cast<Vi>(a);
}
ATTNRT_INLINE Vf floats(Vi a) {
  return reinterpret_cast<Vf>(a);
}
ATTNRT_INLINE Vf to_float(Vi a) {
  return __builtin_convertvector(a, Vf);
}
// |x| < 2^31: towards zero.
ATTNRT_INLINE Vi truncated(Vf a) {
  return __builtin_convertvector(a, Vi);
}
// |x| < 2^22: adding 1.5 * 2^23 leaves no room for a fraction.
ATTNRT_INLINE Vf round_whole(Vf x) {
  const Vf magic = splat(12582912.0F);
  return (x + magic) - magic;
}
ATTNRT_INLINE Vi nearest(Vf a) {
  return truncated(round_whole(a));
}

ATTNRT_INLINE Vi load_u16(const uint8_t* p) {
  uint16_t x[4];
  memcpy(x, p, sizeof(x));
  return Vi{x[0], x[1], x[2], x[3]};
}
ATTNRT_INLINE void store_u16(uint8_t* p, Vi x) {
  for (int i = 0; i < 4; ++i) {
    const uint16_t value = static_cast<uint16_t>(x[i]);
    memcpy(p + 2 * i, &value, sizeof(value));
  }
}
ATTNRT_INLINE void store_u8(uint8_t* p, Vi x) {
  for (int i = 0; i < 4; ++i) p[i] = static_cast<uint8_t>(x[i]);
}

// f16 bits (in 32-bit lanes) to floats. Subnormals: the float of 2^-14 + fraction, less 2^-14.
ATTNRT_INLINE Vf widen_f16(Vi h) {
  const Vi sign = shl<16>(and_i(h, splat_i(0x8000)));
  const Vi magnitude = shl<13>(and_i(h, splat_i(0x7FFF)));
  const Vi field = and_i(magnitude, splat_i(0x7C00 << 13));
  const Vi normal = add_i(magnitude, splat_i(112 << 23));
  const Vi special = add_i(normal, splat_i(112 << 23));
  const Vi tiny = bits(sub(floats(add_i(normal, splat_i(1 << 23))), splat(0x1p-14F)));
  Vi value = select_i(equal_i(field, splat_i(0x7C00 << 13)), special, normal);
  value = select_i(equal_i(field, splat_i(0)), tiny, value);
  return floats(or_i(value, sign));
}
ATTNRT_INLINE Vf load_f16(const uint8_t* p) {
  return widen_f16(load_u16(p));
}

ATTNRT_INLINE float sum(Vf a) {
  return (a[0] + a[2]) + (a[1] + a[3]);
}
ATTNRT_INLINE float largest(Vf a) {
  const float x = a[0] > a[1] ? a[0] : a[1];
  const float y = a[2] > a[3] ? a[2] : a[3];
  return x > y ? x : y;
}

// Element i ^ kDistance where element i was.
template <int kDistance>
ATTNRT_INLINE Vf swapped(Vf x) {
  if constexpr (kDistance == 1) return Vf{x[1], x[0], x[3], x[2]};
  if constexpr (kDistance == 2) return Vf{x[2], x[3], x[0], x[1]};
}

// to[i] = sum of the i-th argument.
ATTNRT_INLINE void store_sums4(float* to, Vf a, Vf b, Vf c, Vf d) {
  to[0] = sum(a);
  to[1] = sum(b);
  to[2] = sum(c);
  to[3] = sum(d);
}

// to[j * to_stride + i] = from[i * from_stride + j] for i, j < 4.
ATTNRT_INLINE void transpose(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  for (int j = 0; j < 4; ++j) {
    store(to + j * to_stride,
          Vf{from[j], from[from_stride + j], from[2 * from_stride + j], from[3 * from_stride + j]});
  }
}

// x * 2^n for whole n in [-126, 127].
ATTNRT_INLINE Vf scale_by_power(Vf x, Vf n) {
  return mul(x, floats(shl<23>(add_i(truncated(n), splat_i(127)))));
}

}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
