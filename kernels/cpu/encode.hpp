// Floats to stored codes, bit-equal to kernels/codec (a NaN's payload excepted): nearest even,
// saturating.
#pragma once

namespace attnrt::cpu::ATTNRT_CPU_ISA {

// A float with E exponent and M mantissa bits. `largest`: code of the largest finite magnitude;
// `infinity`, `nan`: what those are stored as.
template <int E, int M, int32_t kLargest, int32_t kInfinity, int32_t kNan,
          int kBias = (1 << (E - 1)) - 1>
ATTNRT_INLINE Vi encode_minifloat(Vf x) {
  constexpr int kDrop = 23 - M;
  const Vi all = bits(x);
  const Vi magnitude = and_i(all, splat_i(INT32_MAX));
  const Vi sign = shr<31 - E - M>(and_i(all, splat_i(INT32_MIN)));
  // Normal: add half a place less one, and one more if the kept part is odd, then cut.
  const Vi odd = and_i(shr<kDrop>(magnitude), splat_i(1));
  const Vi rounded = add_i(add_i(magnitude, splat_i((1 << (kDrop - 1)) - 1)), odd);
  Vi code = sub_i(shr<kDrop>(rounded), splat_i((127 - kBias) << M));
  if constexpr (E < 8) {
    // Subnormal: adding the power of two whose last place is the code's unit rounds in hardware.
    constexpr int32_t kMagic = (127 + 1 - kBias - M + 23) << 23;
    const Vf shifted = add(floats(magnitude), floats(splat_i(kMagic)));
    const Vi tiny = sub_i(bits(shifted), splat_i(kMagic));
    code = select_i(greater_i(splat_i((127 + 1 - kBias) << 23), magnitude), tiny, code);
  }
  code = select_i(greater_i(code, splat_i(kLargest)), splat_i(kLargest), code);
  code = select_i(equal_i(magnitude, splat_i(0x7F800000)), splat_i(kInfinity), code);
  code = select_i(greater_i(magnitude, splat_i(0x7F800000)), splat_i(kNan), code);
  return or_i(code, sign);
}

ATTNRT_INLINE Vi encode_f16(Vf x) {
  return encode_minifloat<5, 10, 0x7BFF, 0x7C00, 0x7E00>(x);
}
ATTNRT_INLINE Vi encode_bf16(Vf x) {
  return encode_minifloat<8, 7, 0x7F7F, 0x7F80, 0x7FC0>(x);
}
ATTNRT_INLINE Vi encode_e4m3(Vf x) {
  return encode_minifloat<4, 3, 0x7E, 0x7E, 0x7F>(x);
}
ATTNRT_INLINE Vi encode_e5m2(Vf x) {
  return encode_minifloat<5, 2, 0x7B, 0x7B, 0x7E>(x);
}

ATTNRT_INLINE Vi encode_e4m3fnuz(Vf x) {
  // 0x80 is NaN and not a negative zero.
  constexpr int32_t kNan = 0x80;
  const Vi code = encode_minifloat<4, 3, 0x7F, 0x7F, 0x7F, 8>(x);
  const Vi settled = select_i(equal_i(code, splat_i(kNan)), splat_i(0), code);
  return select_i(unordered(x), splat_i(kNan), settled);
}

ATTNRT_INLINE Vi encode_e2m1(Vf x) {
  return select_i(unordered(x), splat_i(0), encode_minifloat<2, 1, 7, 7, 0>(x));
}

// x / scale to the nearest integer, halves away from zero, within -128 … 127; NaN becomes 0.
ATTNRT_INLINE Vi encode_int8(Vf x, Vf scale) {
  const Vf y = max(splat(-128.0F), min(splat(127.0F), div(x, scale)));
  // The float below 0.5: moves no value across an integer that it should not cross.
  const Vi addend = or_i(and_i(bits(y), splat_i(INT32_MIN)), splat_i(0x3EFFFFFF));
  return truncated(select(unordered(x), zero(), add(y, floats(addend))));
}

// The codes of kW floats in format F, kElementBytes each, to p.
template <Format F>
ATTNRT_INLINE void store_codes(uint8_t* p, Vf x) {
  if constexpr (F == Format::kF32) {
    store(reinterpret_cast<float*>(p), x);
  } else if constexpr (F == Format::kF16) {
    store_u16(p, encode_f16(x));
  } else if constexpr (F == Format::kBf16) {
    store_u16(p, encode_bf16(x));
  } else if constexpr (F == Format::kE4m3Fnuz) {
    store_u8(p, encode_e4m3fnuz(x));
  } else if constexpr (F == Format::kE4m3 || F == Format::kFp8Row) {
    store_u8(p, encode_e4m3(x));
  } else {
    static_assert(F == Format::kE5m2);
    store_u8(p, encode_e5m2(x));
  }
}

}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
