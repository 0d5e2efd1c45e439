// bf16: the upper half of a float, rounded to nearest even. A finite float that would round to an
// infinity is stored as the largest finite value; an infinity stays one.
#ifndef ATTNRT_CODEC_BF16_H_
#define ATTNRT_CODEC_BF16_H_

#include "kernels/codec/minifloat.h"

namespace attnrt::codec {

struct Bf16 {
  using Code = uint16_t;
  static constexpr int32_t kExponentBits = 8;
  static constexpr int32_t kMantissaBits = 7;
  static constexpr int32_t kBias = 127;
  static constexpr uint32_t kMaxFinite = 0x7F7F;
  static constexpr uint32_t kInfinity = 0x7F80;
  static constexpr uint32_t kStoredInfinity = kInfinity;
  static constexpr uint32_t kNan = 0x7FC0;
  static constexpr float kMax = 3.38953139e38F;

  ATTNRT_HD static Code encode(float x) { return static_cast<Code>(encode_minifloat<Bf16>(x)); }
  ATTNRT_HD static float decode(Code code) { return float_of(static_cast<uint32_t>(code) << 16); }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_BF16_H_
