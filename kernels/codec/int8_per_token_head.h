// int8_per_token_head: n int8 codes and one f32 scale a (token, head), in line behind them.
//   scale = max(absmax / 127, 1e-6); code = x / scale, halves away from zero, within -128 … 127.
// NaN is stored as 0 and counted; an infinity counts as the largest float.
#ifndef ATTNRT_CODEC_INT8_PER_TOKEN_HEAD_H_
#define ATTNRT_CODEC_INT8_PER_TOKEN_HEAD_H_

#include "kernels/codec/hd.h"

namespace attnrt::codec {

struct Int8PerTokenHead {
  static constexpr int64_t data_bytes(int32_t n) { return n; }
  static constexpr int64_t scale_bytes(int32_t) { return 4; }
  static constexpr bool accepts(int32_t n) { return n >= 1; }

  ATTNRT_HD static float scale_for(float largest) { return larger(largest / 127.0F, 1e-6F); }

  ATTNRT_HD static int8_t encode(float x, float scale) {
    if (is_nan(x)) return 0;
    return static_cast<int8_t>(round_half_away(clamped(x / scale, -128.0F, 127.0F)));
  }

  ATTNRT_HD static int32_t encode_row(const float* x, int32_t n, uint8_t* row, uint8_t* scales) {
    const float scale = scale_for(absmax(x, n));
    store<float>(scales, scale);
    int32_t lost = 0;
    for (int32_t i = 0; i < n; ++i) {
      lost += is_nan(x[i]) ? 1 : 0;
      row[i] = static_cast<uint8_t>(encode(x[i], scale));
    }
    return lost;
  }

  template <class T>
  ATTNRT_HD static void decode_row(const uint8_t* row, const uint8_t* scales, int32_t n, T* out) {
    const T scale = T(load<float>(scales));
    for (int32_t i = 0; i < n; ++i) out[i] = T(static_cast<int8_t>(row[i])) * scale;
  }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_INT8_PER_TOKEN_HEAD_H_
