// fp8_e4m3: OCP E4M3 ("e4m3fn"). No infinity; NaN is 0x7f and 0xff; largest value 448. Infinities
// and everything beyond 448 are stored as 448, as CUDA's SATFINITE conversions do.
#ifndef ATTNRT_CODEC_FP8_E4M3_H_
#define ATTNRT_CODEC_FP8_E4M3_H_

#include "kernels/codec/minifloat.h"

namespace attnrt::codec {

struct Fp8E4M3 {
  using Code = uint8_t;
  static constexpr int32_t kExponentBits = 4;
  static constexpr int32_t kMantissaBits = 3;
  static constexpr int32_t kBias = 7;
  static constexpr uint32_t kMaxFinite = 0x7E;
  static constexpr uint32_t kInfinity = 0;
  static constexpr uint32_t kStoredInfinity = kMaxFinite;
  static constexpr uint32_t kNan = 0x7F;
  static constexpr float kMax = 448.0F;

  ATTNRT_HD static Code encode(float x) { return static_cast<Code>(encode_minifloat<Fp8E4M3>(x)); }
  ATTNRT_HD static float decode(Code code) { return decode_minifloat<Fp8E4M3>(code); }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_FP8_E4M3_H_
