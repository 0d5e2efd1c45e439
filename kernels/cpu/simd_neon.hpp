// Vectors of 4 floats on Google Highway, for AArch64. See simd_portable.hpp for what the names
// mean.
//
// One register a vector and not two: 32 registers then hold the sums of 4 rows, so a stored value
// is widened once for a group of 4 query heads, and rows (multiples of 8) never have a tail.
#pragma once

#include <stdint.h>

// Nothing of libhwy is linked and nothing chosen at run time: what Highway would compile for its
// own dispatch has target attributes (+crypto) that keep it from being inlined here.
#define HWY_COMPILE_ONLY_STATIC
#define TOOLCHAIN_MISS_SYS_AUXV_H
#define HWY_IS_DEBUG_BUILD 0
#include <hwy/highway.h>

#define ATTNRT_INLINE static inline __attribute__((always_inline))

namespace attnrt::cpu::ATTNRT_CPU_ISA {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int kW = 4;
constexpr int kGemmRows = 8;    // 8 rows x 2 vectors of 32 registers
constexpr int kStreamRows = 4;  // 4 rows x 4 keys
constexpr int kStreamSums = 16;
constexpr int kStreamChunks = 2;
constexpr int kStreamKeys = 4;

constexpr hn::FixedTag<float, kW> kFloats;
constexpr hn::FixedTag<int32_t, kW> kInts;
constexpr hn::FixedTag<uint32_t, kW> kUnsigned;
constexpr hn::FixedTag<uint16_t, kW> kHalves;
constexpr hn::FixedTag<uint8_t, kW> kBytes4;
constexpr hn::FixedTag<uint8_t, 2 * kW> kBytes8;
constexpr hn::FixedTag<uint8_t, 4 * kW> kBytes16;

using Vf = hn::VFromD<hn::FixedTag<float, kW>>;
using Vi = hn::VFromD<hn::FixedTag<int32_t, kW>>;
using Mask = decltype(hn::MaskFromVec(Vi()));

ATTNRT_INLINE Vf splat(float x) {
  return hn::Set(kFloats, x);
}
ATTNRT_INLINE Vf zero() {
  return hn::Zero(kFloats);
}
ATTNRT_INLINE Vf load(const float* p) {
  return hn::LoadU(kFloats, p);
}
ATTNRT_INLINE void store(float* p, Vf x) {
  hn::StoreU(x, kFloats, p);
}
ATTNRT_INLINE Vf add(Vf a, Vf b) {
  return hn::Add(a, b);
}
ATTNRT_INLINE Vf sub(Vf a, Vf b) {
  return hn::Sub(a, b);
}
ATTNRT_INLINE Vf mul(Vf a, Vf b) {
  return hn::Mul(a, b);
}
ATTNRT_INLINE Vf div(Vf a, Vf b) {
  return hn::Div(a, b);
}
ATTNRT_INLINE Vf fma(Vf a, Vf b, Vf c) {
  return hn::MulAdd(a, b, c);
}
ATTNRT_INLINE Mask less(Vf a, Vf b) {
  return hn::RebindMask(kInts, hn::Lt(a, b));
}
ATTNRT_INLINE Mask unordered(Vf a) {
  return hn::RebindMask(kInts, hn::Ne(a, a));
}
ATTNRT_INLINE Vf select(Mask m, Vf yes, Vf no) {
  return hn::IfThenElse(hn::RebindMask(kFloats, m), yes, no);
}
// Not the instructions of these names, which give NaN where either argument is.
ATTNRT_INLINE Vf max(Vf a, Vf b) {
  return hn::IfThenElse(hn::Gt(a, b), a, b);
}
ATTNRT_INLINE Vf min(Vf a, Vf b) {
  return hn::IfThenElse(hn::Lt(a, b), a, b);
}
// Bit i: whether element i is true.
ATTNRT_INLINE uint32_t bits_of(Mask m) {
  uint8_t bits[8] = {};
  hn::StoreMaskBits(kInts, m, bits);
  return bits[0];
}
ATTNRT_INLINE int count(Mask m) {
  return static_cast<int>(hn::CountTrue(kInts, m));
}

ATTNRT_INLINE Vi splat_i(int32_t x) {
  return hn::Set(kInts, x);
}
ATTNRT_INLINE Vi iota() {
  return hn::Iota(kInts, 0);
}
ATTNRT_INLINE Vi add_i(Vi a, Vi b) {
  return hn::Add(a, b);
}
ATTNRT_INLINE Vi sub_i(Vi a, Vi b) {
  return hn::Sub(a, b);
}
ATTNRT_INLINE Vi and_i(Vi a, Vi b) {
  return hn::And(a, b);
}
ATTNRT_INLINE Vi or_i(Vi a, Vi b) {
  return hn::Or(a, b);
}
ATTNRT_INLINE Mask greater_i(Vi a, Vi b) {
  return hn::Gt(a, b);
}
ATTNRT_INLINE Mask equal_i(Vi a, Vi b) {
  return hn::Eq(a, b);
}
ATTNRT_INLINE Vi select_i(Mask m, Vi yes, Vi no) {
  return hn::IfThenElse(m, yes, no);
}
template <int N>
ATTNRT_INLINE Vi shl(Vi a) {
  return hn::ShiftLeft<N>(a);
}
// Zeros come in, whatever the sign.
template <int N>
ATTNRT_INLINE Vi shr(Vi a) {
  return hn::BitCast(kInts, hn::ShiftRight<N>(hn::BitCast(kUnsigned, a)));
}
ATTNRT_INLINE Vi bits(Vf a) {
  return hn::BitCast(kInts, a);
}
ATTNRT_INLINE Vf floats(Vi a) {
  return hn::BitCast(kFloats, a);
}
ATTNRT_INLINE Vf to_float(Vi a) {
  return hn::ConvertTo(kFloats, a);
}
ATTNRT_INLINE Vi truncated(Vf a) {
  return hn::ConvertTo(kInts, a);
}
ATTNRT_INLINE Vf round_whole(Vf x) {
  return hn::Round(x);
}
ATTNRT_INLINE Vi nearest(Vf a) {
  return hn::NearestInt(a);
}

ATTNRT_INLINE auto load_halves(const uint8_t* p) {
  return hn::BitCast(kHalves, hn::LoadU(kBytes8, p));
}
ATTNRT_INLINE Vi load_u16(const uint8_t* p) {
  return hn::PromoteTo(kInts, load_halves(p));
}
ATTNRT_INLINE void store_u16(uint8_t* p, Vi x) {
  const auto halves = hn::TruncateTo(kHalves, hn::BitCast(kUnsigned, x));
  hn::StoreU(hn::BitCast(kBytes8, halves), kBytes8, p);
}
ATTNRT_INLINE void store_u8(uint8_t* p, Vi x) {
  hn::StoreU(hn::TruncateTo(kBytes4, hn::BitCast(kUnsigned, x)), kBytes4, p);
}

// 4 times f16 bits to floats.
template <class Halves>
ATTNRT_INLINE Vf widen_f16(Halves h) {
  return hn::PromoteTo(kFloats, hn::BitCast(hn::FixedTag<hwy::float16_t, kW>(), h));
}
ATTNRT_INLINE Vf load_f16(const uint8_t* p) {
  return widen_f16(load_halves(p));
}

ATTNRT_INLINE float sum(Vf a) {
  return hn::GetLane(hn::SumOfLanes(kFloats, a));
}
ATTNRT_INLINE float largest(Vf a) {
  return hn::GetLane(hn::MaxOfLanes(kFloats, a));
}

// Element i ^ kDistance where element i was.
template <int kDistance>
ATTNRT_INLINE Vf swapped(Vf x) {
  if constexpr (kDistance == 1) return hn::Shuffle2301(x);
  if constexpr (kDistance == 2) return hn::Shuffle1032(x);
}

// The sums of pairs of a, then those of b.
ATTNRT_INLINE Vf pair_sums(Vf a, Vf b) {
  return hn::Add(hn::ConcatEven(kFloats, b, a), hn::ConcatOdd(kFloats, b, a));
}

// to[i] = sum of the i-th argument.
ATTNRT_INLINE void store_sums4(float* to, Vf a, Vf b, Vf c, Vf d) {
  store(to, pair_sums(pair_sums(a, b), pair_sums(c, d)));
}

// to[j * to_stride + i] = from[i * from_stride + j] for i, j < 4.
ATTNRT_INLINE void transpose(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  const Vf a = load(from);
  const Vf b = load(from + from_stride);
  const Vf c = load(from + 2 * from_stride);
  const Vf d = load(from + 3 * from_stride);
  const Vf ac = hn::InterleaveLower(kFloats, a, c);
  const Vf bd = hn::InterleaveLower(kFloats, b, d);
  store(to, hn::InterleaveLower(kFloats, ac, bd));
  store(to + to_stride, hn::InterleaveUpper(kFloats, ac, bd));
  const Vf ac_high = hn::InterleaveUpper(kFloats, a, c);
  const Vf bd_high = hn::InterleaveUpper(kFloats, b, d);
  store(to + 2 * to_stride, hn::InterleaveLower(kFloats, ac_high, bd_high));
  store(to + 3 * to_stride, hn::InterleaveUpper(kFloats, ac_high, bd_high));
}

// x * 2^n for whole n in [-126, 127].
ATTNRT_INLINE Vf scale_by_power(Vf x, Vf n) {
  return mul(x, floats(shl<23>(add_i(truncated(n), splat_i(127)))));
}

}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
