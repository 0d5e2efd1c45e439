// nvfp4_4over6: the bytes and meaning of nvfp4_swizzled; only the writer differs. For each block it
// tries the scales e4m3(absmax / 6) and e4m3(absmax / 4) and keeps the one with the smaller sum of
// squared errors, the first one where they are equal. Differences are floats, their squares are
// summed in double in the elements' order; NaN is left out.
#ifndef ATTNRT_CODEC_NVFP4_4OVER6_H_
#define ATTNRT_CODEC_NVFP4_4OVER6_H_

#include "kernels/codec/nvfp4_swizzled.h"

namespace attnrt::codec {

ATTNRT_HD double nvfp4_squared_error(const float* x, uint8_t scale_code) {
  uint8_t bytes[kNvfp4Block / 2];
  float read[kNvfp4Block];
  nvfp4_pack(x, scale_code, bytes);
  nvfp4_unpack(bytes, scale_code, read);
  double error = 0.0;
  for (int32_t i = 0; i < kNvfp4Block; ++i) {
    const double difference = is_nan(x[i]) ? 0.0F : read[i] - x[i];
    error += difference * difference;  // the product is exact, so a fused sum is the same
  }
  return error;
}

ATTNRT_HD uint8_t nvfp4_4over6_scale_code(const float* x) {
  const uint8_t six = nvfp4_scale_code(x);
  const uint8_t four = Fp8E4M3::encode(absmax(x, kNvfp4Block) / 4.0F);
  return nvfp4_squared_error(x, four) < nvfp4_squared_error(x, six) ? four : six;
}

struct Nvfp44Over6 : Nvfp4Swizzled {
  ATTNRT_HD static int32_t encode_row(const float* x, int32_t n, uint8_t* row, uint8_t* scales) {
    int32_t lost = 0;
    for (int32_t s = 0; s < n / kNvfp4Block; ++s) {
      const float* block = x + s * kNvfp4Block;
      scales[s] = nvfp4_4over6_scale_code(block);
      lost += nvfp4_pack(block, scales[s], row + s * (kNvfp4Block / 2));
    }
    return lost;
  }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_NVFP4_4OVER6_H_
