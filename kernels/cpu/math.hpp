// exp and tanh of vectors. Stated errors are tested over the whole range for each instruction set.
#pragma once

namespace attnrt::cpu::ATTNRT_CPU_ISA {

// exp for x up to 88.37, such as the weights of a softmax: x less its maximum. Relative error at most
// 2^-22 for x from -87.33; 0 below (no subnormal results: they would cost a microcode assist each);
// NaN stays NaN; exp(0) is exactly 1.
ATTNRT_INLINE Vf exp_bounded(Vf x) {
  const Vf lowest = splat(-87.33F);
  const Vf clamped = max(lowest, x);
  const Vf n = round_whole(mul(clamped, splat(1.44269504088896341F)));
  // ln 2 in two parts: n times the first is exact.
  Vf r = fma(n, splat(-0.693359375F), clamped);
  r = fma(n, splat(2.12194440e-4F), r);
  Vf p = splat(1.9875691500e-4F);
  p = fma(p, r, splat(1.3981999507e-3F));
  p = fma(p, r, splat(8.3334519073e-3F));
  p = fma(p, r, splat(4.1665795894e-2F));
  p = fma(p, r, splat(1.6666665459e-1F));
  p = fma(p, r, splat(5.0000001201e-1F));
  p = add(fma(p, mul(r, r), r), splat(1.0F));
  return select(less(x, lowest), zero(), scale_by_power(p, n));
}

// As exp_bounded, for any x: infinity above 88.37.
ATTNRT_INLINE Vf exp(Vf x) {
  const Vf highest = splat(88.37F);
  return select(less(highest, x), splat(__builtin_inff()), exp_bounded(min(highest, x)));
}

// Absolute error at most 2^-21; the sign of x.
ATTNRT_INLINE Vf tanh(Vf x) {
  const Vi sign = and_i(bits(x), splat_i(INT32_MIN));
  const Vf magnitude = floats(and_i(bits(x), splat_i(INT32_MAX)));
  const Vf e = exp_bounded(min(splat(20.0F), add(magnitude, magnitude)));
  const Vf y = sub(splat(1.0F), div(splat(2.0F), add(e, splat(1.0F))));
  return floats(or_i(bits(y), sign));
}

ATTNRT_INLINE float exp1(float x) {
  alignas(64) float out[kW];
  store(out, exp(splat(x)));
  return out[0];
}

}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
