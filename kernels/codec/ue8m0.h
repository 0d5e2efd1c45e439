// ue8m0: a power of two as its biased exponent: 2^(code - 127), 0xff is NaN.
#ifndef ATTNRT_CODEC_UE8M0_H_
#define ATTNRT_CODEC_UE8M0_H_

#include "kernels/codec/hd.h"

namespace attnrt::codec {

struct Ue8m0 {
  using Code = uint8_t;
  static constexpr Code kNanCode = 0xFF;

  // The smallest power of two at or above a positive finite x. Rounded up, so that x divided by it
  // never exceeds 1.
  ATTNRT_HD static Code encode_up(float x) {
    const uint32_t bits = bits_of(x);
    const uint32_t exponent = bits >> 23;
    const uint32_t fraction = bits & 0x7FFFFFU;
    if (exponent == 0) return fraction > 0x400000U ? Code{1} : Code{0};  // 2^-127 is 0x400000
    return static_cast<Code>(fraction == 0 ? exponent : exponent + 1);
  }

  ATTNRT_HD static float decode(Code code) {
    if (code == kNanCode) return float_of(0x7FC00000U);
    return power_of_two(static_cast<int32_t>(code) - 127);
  }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_UE8M0_H_
