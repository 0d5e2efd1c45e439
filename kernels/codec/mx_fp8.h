// Tiles of e4m3 codes with one ue8m0 scale each, as DeepSeek's V4 caches have them:
//   scale = the power of two at or above max(absmax, 1e-4) / 448.
#ifndef ATTNRT_CODEC_MX_FP8_H_
#define ATTNRT_CODEC_MX_FP8_H_

#include "kernels/codec/scaled_fp8.h"
#include "kernels/codec/ue8m0.h"

namespace attnrt::codec {

ATTNRT_HD void encode_mx_fp8(const float* x, int32_t n, int32_t tile, uint8_t* codes,
                             uint8_t* scales) {
  for (int32_t i = 0; i < n / tile; ++i) {
    const float largest = larger(absmax(x + i * tile, tile), 1e-4F);
    scales[i] = Ue8m0::encode_up(largest / Fp8E4M3::kMax);
    encode_scaled_e4m3(x + i * tile, tile, Ue8m0::decode(scales[i]), codes + i * tile);
  }
}

template <class T>
ATTNRT_HD void decode_mx_fp8(const uint8_t* codes, const uint8_t* scales, int32_t n, int32_t tile,
                             T* out) {
  for (int32_t i = 0; i < n / tile; ++i) {
    decode_scaled_e4m3(codes + i * tile, tile, Ue8m0::decode(scales[i]), out + i * tile);
  }
}

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_MX_FP8_H_
