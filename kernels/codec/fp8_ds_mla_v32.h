// fp8_ds_mla_v32: DeepSeek V3.2's latent rows, 656 bytes a token, of 576 values:
//   [0, 512)    512 e4m3 codes: the latent without RoPE
//   [512, 528)  4 f32 scales, one per 128 of them: max(absmax / 448, the smallest normal float)
//   [528, 656)  64 bf16: the RoPE values
// `row` is the row's first byte and `scales` its byte 512.
#ifndef ATTNRT_CODEC_FP8_DS_MLA_V32_H_
#define ATTNRT_CODEC_FP8_DS_MLA_V32_H_

#include "kernels/codec/bf16.h"
#include "kernels/codec/plain_row.h"
#include "kernels/codec/scaled_fp8.h"

namespace attnrt::codec {

struct Fp8DsMlaV32 {
  static constexpr int32_t kLatent = 512;
  static constexpr int32_t kRope = 64;
  static constexpr int32_t kTile = 128;
  static constexpr int32_t kRopeOffset = 528;
  static constexpr int64_t data_bytes(int32_t) { return 640; }  // without the scales in line
  static constexpr int64_t scale_bytes(int32_t) { return 16; }
  static constexpr bool accepts(int32_t n) { return n == kLatent + kRope; }

  ATTNRT_HD static int32_t encode_row(const float* x, int32_t, uint8_t* row, uint8_t* scales) {
    for (int32_t tile = 0; tile < kLatent / kTile; ++tile) {
      const float* from = x + tile * kTile;
      const float scale = larger(absmax(from, kTile) / Fp8E4M3::kMax, kMinNormalFloat);
      store<float>(scales + 4 * tile, scale);
      encode_scaled_e4m3(from, kTile, scale, row + tile * kTile);
    }
    return PlainRow<Bf16>::encode_row(x + kLatent, kRope, row + kRopeOffset, nullptr);
  }

  template <class T>
  ATTNRT_HD static void decode_row(const uint8_t* row, const uint8_t* scales, int32_t, T* out) {
    for (int32_t tile = 0; tile < kLatent / kTile; ++tile) {
      decode_scaled_e4m3(row + tile * kTile, kTile, load<float>(scales + 4 * tile),
                         out + tile * kTile);
    }
    PlainRow<Bf16>::decode_row(row + kRopeOffset, nullptr, kRope, out + kLatent);
  }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_FP8_DS_MLA_V32_H_
