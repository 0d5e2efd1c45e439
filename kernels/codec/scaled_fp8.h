// A run of e4m3 codes that share one factor: the building block of fp8_per_token_head and of the
// fp8_ds_mla formats.
#ifndef ATTNRT_CODEC_SCALED_FP8_H_
#define ATTNRT_CODEC_SCALED_FP8_H_

#include "kernels/codec/fp8_e4m3.h"

namespace attnrt::codec {

ATTNRT_HD void encode_scaled_e4m3(const float* x, int32_t n, float scale, uint8_t* codes) {
  for (int32_t i = 0; i < n; ++i) codes[i] = Fp8E4M3::encode(x[i] / scale);
}

template <class T>
ATTNRT_HD void decode_scaled_e4m3(const uint8_t* codes, int32_t n, float scale, T* out) {
  for (int32_t i = 0; i < n; ++i) out[i] = T(Fp8E4M3::decode(codes[i])) * T(scale);
}

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_SCALED_FP8_H_
