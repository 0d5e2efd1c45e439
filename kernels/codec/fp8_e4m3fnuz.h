// fp8_e4m3fnuz: AMD CDNA3's E4M3: bias 8, no negative zero, one NaN (0x80), largest value 240.
// Infinities and everything beyond 240 are stored as 240; what rounds to zero is stored as 0x00.
#ifndef ATTNRT_CODEC_FP8_E4M3FNUZ_H_
#define ATTNRT_CODEC_FP8_E4M3FNUZ_H_

#include "kernels/codec/minifloat.h"

namespace attnrt::codec {

struct Fp8E4M3Fnuz {
  using Code = uint8_t;
  static constexpr int32_t kExponentBits = 4;
  static constexpr int32_t kMantissaBits = 3;
  static constexpr int32_t kBias = 8;
  static constexpr uint32_t kMaxFinite = 0x7F;
  static constexpr uint32_t kInfinity = 0;
  static constexpr uint32_t kStoredInfinity = kMaxFinite;
  static constexpr uint32_t kNan = 0;
  static constexpr float kMax = 240.0F;

  static constexpr Code kNanCode = 0x80;

  ATTNRT_HD static Code encode(float x) {
    if (is_nan(x)) return kNanCode;
    const Code code = static_cast<Code>(encode_minifloat<Fp8E4M3Fnuz>(x));
    return code == kNanCode ? Code{0} : code;  // no negative zero
  }
  ATTNRT_HD static float decode(Code code) {
    return code == kNanCode ? float_of(0x7FC00000U) : decode_minifloat<Fp8E4M3Fnuz>(code);
  }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_FP8_E4M3FNUZ_H_
