// f32: stored as it is.
#ifndef ATTNRT_CODEC_F32_H_
#define ATTNRT_CODEC_F32_H_

#include "kernels/codec/hd.h"

namespace attnrt::codec {

struct F32 {
  using Code = uint32_t;
  static constexpr float kMax = kMaxFloat;

  ATTNRT_HD static Code encode(float x) { return bits_of(x); }
  ATTNRT_HD static float decode(Code code) { return float_of(code); }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_F32_H_
