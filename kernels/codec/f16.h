// f16: IEEE binary16. A finite value beyond 65504 is stored as 65504 (a plain conversion would make
// it an infinity, which poisons a whole row); an infinity stays one.
#ifndef ATTNRT_CODEC_F16_H_
#define ATTNRT_CODEC_F16_H_

#include "kernels/codec/minifloat.h"

namespace attnrt::codec {

struct F16 {
  using Code = uint16_t;
  static constexpr int32_t kExponentBits = 5;
  static constexpr int32_t kMantissaBits = 10;
  static constexpr int32_t kBias = 15;
  static constexpr uint32_t kMaxFinite = 0x7BFF;
  static constexpr uint32_t kInfinity = 0x7C00;
  static constexpr uint32_t kStoredInfinity = kInfinity;
  static constexpr uint32_t kNan = 0x7E00;
  static constexpr float kMax = 65504.0F;

  ATTNRT_HD static Code encode(float x) { return static_cast<Code>(encode_minifloat<F16>(x)); }
  ATTNRT_HD static float decode(Code code) { return decode_minifloat<F16>(code); }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_F16_H_
