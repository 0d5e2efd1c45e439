// int4_per_token_head_zp: int4_per_token_head with the zero point apart: n/2 bytes of codes, then
// the f32 scale with all its bits, then the zero point as f32 (0 … 15, whole). This layout is ours;
// rotation, scale, zero point and codes are those of int4_per_token_head.h.
#ifndef ATTNRT_CODEC_INT4_PER_TOKEN_HEAD_ZP_H_
#define ATTNRT_CODEC_INT4_PER_TOKEN_HEAD_ZP_H_

#include "kernels/codec/int4_per_token_head.h"

namespace attnrt::codec {

struct Int4PerTokenHeadZp {
  static constexpr int64_t data_bytes(int32_t n) { return n / 2; }
  static constexpr int64_t scale_bytes(int32_t) { return 8; }
  static constexpr bool accepts(int32_t n) { return rotation_accepts(n); }

  ATTNRT_HD static int32_t encode_row(const float* x, int32_t n, uint8_t* row, uint8_t* scales) {
    float y[kMaxRotation];
    const int32_t lost = int4_prepare(x, n, y);
    const Int4Factors f = int4_factors(y, n);
    int4_pack(y, n, f, row);
    store<float>(scales, f.scale);
    store<float>(scales + 4, f.zero);
    return lost;
  }

  ATTNRT_HD static Int4Factors factors(const uint8_t* scales) {
    return {load<float>(scales), load<float>(scales + 4)};
  }

  template <class T>
  ATTNRT_HD static void decode_row(const uint8_t* row, const uint8_t* scales, int32_t n, T* out) {
    int4_unpack(row, n, factors(scales), out);
  }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_INT4_PER_TOKEN_HEAD_ZP_H_
