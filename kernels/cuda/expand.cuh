// Stored elements to pairs of halves, in registers: one function a format.
//
// A register holds two units of 16 bits, as ldmatrix gives them; a unit holds kPerUnit elements.
// expand() gives for each j < kPerUnit the pair (element j of the low unit, element j of the high
// unit): what a fragment of mma wants where units are neighbours along its inner dimension.
#pragma once

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/params.hpp"

namespace attnrt::cuda {

constexpr int per_unit(Format f) {
  return 16 / element_bits(f);
}

// What expand() gives, times this, is the stored value.
template <Format kFormat, class Half>
constexpr float expanded_factor() {
  const bool e4m3 = kFormat == Format::kE4m3 || kFormat == Format::kNvfp4;  // whose scales are
  return e4m3 && __is_same(Half, F16) ? 256.0F : 1.0F;
}

// In a pair of halves with a byte each: all ones where the byte's bits above its sign, `x`, reach
// 0x80 once `to_next` is added, so where its exponent (and for e4m3 its mantissa) is all ones.
ATTNRT_DEVICE uint32_t at_specials(uint32_t x, uint32_t to_next, uint32_t ones) {
  return ((x + to_next) >> 7 & 0x00010001U) * ones;
}

// Two bytes, at bits 0 and 16, to halves.
template <Format kFormat, class Half>
ATTNRT_DEVICE uint32_t expand_bytes(uint32_t x) {
  const uint32_t sign = (x & 0x00800080U) << 8;
  const uint32_t rest = x & 0x007F007FU;
  if constexpr (kFormat == Format::kInt8) {
    // 128 + its low bits, less 128 or, where it is negative, 256; as f16 at 1024.
    constexpr uint32_t kBase = __is_same(Half, F16) ? 0x64006400U : 0x43004300U;
    if constexpr (__is_same(Half, F16)) {
      return subtract_halves<F16>(kBase | (x ^ 0x00800080U), 0x64806480U);
    }
    return subtract_halves<Bf16>(kBase | rest, kBase | (x & 0x00800080U));
  } else if constexpr (kFormat == Format::kE5m2) {
    if constexpr (__is_same(Half, F16)) return x << 8;
    const uint32_t value = multiply_halves<Bf16>(sign | rest << 5, 0x77807780U);  // 2^112
    return value | at_specials(x & 0x007C007CU, 0x00040004U, 0x7F80U);
  } else {
    static_assert(kFormat == Format::kE4m3);
    if constexpr (__is_same(Half, F16)) {
      const uint32_t code = rest << 7;
      return sign | code | ((code + 0x00800080U) & 0x40004000U);  // NaN alone carries so far
    }
    const uint32_t value = multiply_halves<Bf16>(sign | rest << 4, 0x7B807B80U);  // 2^120
    return value | at_specials(rest, 0x00010001U, 0x7FC0U);
  }
}

// Two codes of e2m1, at bits 0 and 16, to halves.
template <class Half>
ATTNRT_DEVICE uint32_t expand_nibbles(uint32_t x) {
  const uint32_t sign = (x & 0x00080008U) << 12;
  const uint32_t rest = x & 0x00070007U;
  if constexpr (__is_same(Half, F16)) {
    return multiply_halves<F16>(sign | rest << 9, 0x74007400U);  // 2^14
  }
  return multiply_halves<Bf16>(sign | rest << 6, 0x7E807E80U);  // 2^126
}

// Codes of int4 less their zero points. The zero points of two rows, as halves, on a base that
// codes are put on too.
template <class Half>
constexpr uint32_t code_base() {
  return __is_same(Half, F16) ? 0x64006400U : 0x43004300U;  // 1024, 128
}
template <class Half>
ATTNRT_DEVICE uint32_t based_zeros(uint32_t low, uint32_t high) {
  return code_base<Half>() | (low & 0xFU) | (high & 0xFU) << 16;
}
template <class Half>
ATTNRT_DEVICE void expand_codes(uint32_t x, uint32_t zeros, uint32_t (&to)[4]) {
  ATTNRT_UNROLL
  for (int j = 0; j < 4; ++j) {
    to[j] = subtract_halves<Half>(code_base<Half>() | (x >> (4 * j) & 0x000F000FU), zeros);
  }
}

template <Format kFormat, class Half>
ATTNRT_DEVICE void expand(uint32_t x, uint32_t (&to)[per_unit(kFormat)]) {
  if constexpr (per_unit(kFormat) == 1) {
    to[0] = x;
  } else if constexpr (per_unit(kFormat) == 2) {
    to[0] = expand_bytes<kFormat, Half>(x & 0x00FF00FFU);
    to[1] = expand_bytes<kFormat, Half>(x >> 8 & 0x00FF00FFU);
  } else {
    ATTNRT_UNROLL
    for (int j = 0; j < 4; ++j) to[j] = expand_nibbles<Half>(x >> (4 * j) & 0x000F000FU);
  }
}

// Scales of the blocks that two units are in, as halves.
template <class Half>
ATTNRT_DEVICE uint32_t load_block_scales(SharedAddress low, SharedAddress high) {
  const uint32_t codes = load_shared<uint8_t>(low) | uint32_t{load_shared<uint8_t>(high)} << 16;
  return expand_bytes<Format::kE4m3, Half>(codes);
}

// One stored element of a shared row, as float, less its factor. `scales`: those of its blocks.
template <Format kFormat, class Half>
ATTNRT_DEVICE float expand_one(SharedAddress row, SharedAddress scales, int i) {
  const auto at = row + static_cast<SharedAddress>(row_bytes(kFormat, i));
  if constexpr (has_block_scales(kFormat)) {
    const uint32_t code = uint32_t{load_shared<uint8_t>(at)} >> (4 * (i & 1)) & 0xFU;
    const auto scale = scales + static_cast<SharedAddress>(i / kScaledBlock);
    const uint32_t x =
        multiply_halves<Half>(expand_nibbles<Half>(code), load_block_scales<Half>(scale, scale));
    return half_to_float<Half>(static_cast<uint16_t>(x & 0xFFFFU));
  } else if constexpr (per_unit(kFormat) == 1) {
    return half_to_float<Half>(load_shared<uint16_t>(at));
  } else {
    const uint32_t x = expand_bytes<kFormat, Half>(load_shared<uint8_t>(at));
    return half_to_float<Half>(static_cast<uint16_t>(x & 0xFFFFU));
  }
}

// Whether one of two halves is infinite or NaN: bits of it are set.
template <class Half>
ATTNRT_DEVICE uint32_t special_halves(uint32_t x) {
  constexpr uint32_t kExponents = __is_same(Half, F16) ? 0x7C007C00U : 0x7F807F80U;
  constexpr uint32_t kLowest = __is_same(Half, F16) ? 0x04000400U : 0x00800080U;
  return ((x & kExponents) + kLowest) & 0x80008000U;
}

}  // namespace attnrt::cuda
