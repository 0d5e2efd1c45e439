// e2m1: the 4-bit float of NVFP4 and MXFP4: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives, no
// infinity, no NaN (stored as zero). Codes are 0 to 15; two share a byte, the even element in the
// low nibble.
#ifndef ATTNRT_CODEC_E2M1_H_
#define ATTNRT_CODEC_E2M1_H_

#include "kernels/codec/minifloat.h"

namespace attnrt::codec {

struct E2M1 {
  using Code = uint8_t;
  static constexpr int32_t kExponentBits = 2;
  static constexpr int32_t kMantissaBits = 1;
  static constexpr int32_t kBias = 1;
  static constexpr uint32_t kMaxFinite = 0x7;
  static constexpr uint32_t kInfinity = 0;
  static constexpr uint32_t kStoredInfinity = kMaxFinite;
  static constexpr uint32_t kNan = 0;
  static constexpr float kMax = 6.0F;

  ATTNRT_HD static Code encode(float x) {
    return is_nan(x) ? Code{0} : static_cast<Code>(encode_minifloat<E2M1>(x));
  }
  ATTNRT_HD static float decode(Code code) { return decode_minifloat<E2M1>(code); }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_E2M1_H_
