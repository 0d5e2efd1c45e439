// fp8_ds_mla_v41: DeepSeek V4.1's latent rows, 528 bytes a token, of 512 values:
//   data row, 512 bytes:  512 e4m3 codes, the RoPE values (the last 64) among them
//   scale row, 16 bytes:  16 ue8m0 scales, one per 32 codes (MXFP8)
// A page holds all its data rows, then all its scale rows, rounded up to a multiple of 512 bytes.
#ifndef ATTNRT_CODEC_FP8_DS_MLA_V41_H_
#define ATTNRT_CODEC_FP8_DS_MLA_V41_H_

#include "kernels/codec/mx_fp8.h"

namespace attnrt::codec {

struct Fp8DsMlaV41 {
  static constexpr int32_t kValues = 512;
  static constexpr int32_t kTile = 32;
  static constexpr int64_t data_bytes(int32_t) { return 512; }
  static constexpr int64_t scale_bytes(int32_t) { return 16; }
  static constexpr bool accepts(int32_t n) { return n == kValues; }

  ATTNRT_HD static int32_t encode_row(const float* x, int32_t, uint8_t* row, uint8_t* scales) {
    encode_mx_fp8(x, kValues, kTile, row, scales);
    return 0;
  }

  template <class T>
  ATTNRT_HD static void decode_row(const uint8_t* row, const uint8_t* scales, int32_t, T* out) {
    decode_mx_fp8(row, scales, kValues, kTile, out);
  }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_FP8_DS_MLA_V41_H_
