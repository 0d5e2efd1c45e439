// fp8_e5m2: OCP E5M2. 0x7c is an infinity, 0x7d to 0x7f are NaN, and are read as such. Everything
// beyond 57344, infinities too, is stored as 57344, as CUDA's SATFINITE conversions do.
#ifndef ATTNRT_CODEC_FP8_E5M2_H_
#define ATTNRT_CODEC_FP8_E5M2_H_

#include "kernels/codec/minifloat.h"

namespace attnrt::codec {

struct Fp8E5M2 {
  using Code = uint8_t;
  static constexpr int32_t kExponentBits = 5;
  static constexpr int32_t kMantissaBits = 2;
  static constexpr int32_t kBias = 15;
  static constexpr uint32_t kMaxFinite = 0x7B;
  static constexpr uint32_t kInfinity = 0x7C;
  static constexpr uint32_t kStoredInfinity = kMaxFinite;
  static constexpr uint32_t kNan = 0x7E;
  static constexpr float kMax = 57344.0F;

  ATTNRT_HD static Code encode(float x) { return static_cast<Code>(encode_minifloat<Fp8E5M2>(x)); }
  ATTNRT_HD static float decode(Code code) { return decode_minifloat<Fp8E5M2>(code); }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_FP8_E5M2_H_
