// fp8_per_token_head: n e4m3 codes and one f32 scale a (token, head), in line behind them.
//   scale = max(absmax / 448, 1e-6); code = e4m3(x / scale). NaN is stored as NaN.
#ifndef ATTNRT_CODEC_FP8_PER_TOKEN_HEAD_H_
#define ATTNRT_CODEC_FP8_PER_TOKEN_HEAD_H_

#include "kernels/codec/scaled_fp8.h"

namespace attnrt::codec {

struct Fp8PerTokenHead {
  static constexpr int64_t data_bytes(int32_t n) { return n; }
  static constexpr int64_t scale_bytes(int32_t) { return 4; }
  static constexpr bool accepts(int32_t n) { return n >= 1; }

  ATTNRT_HD static float scale_for(float largest) { return larger(largest / Fp8E4M3::kMax, 1e-6F); }

  ATTNRT_HD static int32_t encode_row(const float* x, int32_t n, uint8_t* row, uint8_t* scales) {
    const float scale = scale_for(absmax(x, n));
    store<float>(scales, scale);
    encode_scaled_e4m3(x, n, scale, row);
    return 0;
  }

  template <class T>
  ATTNRT_HD static void decode_row(const uint8_t* row, const uint8_t* scales, int32_t n, T* out) {
    decode_scaled_e4m3(row, n, load<float>(scales), out);
  }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_FP8_PER_TOKEN_HEAD_H_
