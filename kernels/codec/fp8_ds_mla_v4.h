// fp8_ds_mla_v4: DeepSeek V4's latent rows, 584 bytes a token, of 512 values:
//   data row, 576 bytes:  448 e4m3 codes, then 64 bf16: the RoPE values
//   scale row, 8 bytes:   7 ue8m0 scales, one per 64 codes, and a zero byte
// A page holds all its data rows, then all its scale rows, rounded up to a multiple of 576 bytes.
#ifndef ATTNRT_CODEC_FP8_DS_MLA_V4_H_
#define ATTNRT_CODEC_FP8_DS_MLA_V4_H_

#include "kernels/codec/bf16.h"
#include "kernels/codec/mx_fp8.h"
#include "kernels/codec/plain_row.h"

namespace attnrt::codec {

struct Fp8DsMlaV4 {
  static constexpr int32_t kLatent = 448;
  static constexpr int32_t kRope = 64;
  static constexpr int32_t kTile = 64;
  static constexpr int64_t data_bytes(int32_t) { return 576; }
  static constexpr int64_t scale_bytes(int32_t) { return 8; }
  static constexpr bool accepts(int32_t n) { return n == kLatent + kRope; }

  ATTNRT_HD static int32_t encode_row(const float* x, int32_t, uint8_t* row, uint8_t* scales) {
    encode_mx_fp8(x, kLatent, kTile, row, scales);
    scales[kLatent / kTile] = 0;
    return PlainRow<Bf16>::encode_row(x + kLatent, kRope, row + kLatent, nullptr);
  }

  template <class T>
  ATTNRT_HD static void decode_row(const uint8_t* row, const uint8_t* scales, int32_t, T* out) {
    decode_mx_fp8(row, scales, kLatent, kTile, out);
    PlainRow<Bf16>::decode_row(row + kLatent, nullptr, kRope, out + kLatent);
  }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_FP8_DS_MLA_V4_H_
