// nvfp4_ds_mla: latent rows with NVFP4 values, 352 bytes a token, of 576 values:
//   [0, 256)    512 e2m1 codes, low nibble the even element: the latent without RoPE
//   [256, 320)  64 e4m3 codes without a scale: the RoPE values
//   [320, 352)  32 e4m3 scales, one per 16 latent values; that of block s at byte 8 (s % 4) + s / 4
// `row` is the row's first byte and `scales` its byte 320. Other than in nvfp4.h the scale is
// rounded up, so that no value saturates:
//   scale = the e4m3 at or above max(absmax / 6, 2^-9), at most 448.
// As vLLM writes it (csrc/libtorch_stable/nvfp4_ds_mla_cache_kernels.cu). NaN among the latent is
// stored as 0 and counted.
#ifndef ATTNRT_CODEC_NVFP4_DS_MLA_H_
#define ATTNRT_CODEC_NVFP4_DS_MLA_H_

#include "kernels/codec/nvfp4.h"
#include "kernels/codec/plain_row.h"

namespace attnrt::codec {

struct Nvfp4DsMla {
  static constexpr int32_t kLatent = 512;
  static constexpr int32_t kRope = 64;
  static constexpr int32_t kRopeOffset = 256;
  static constexpr int64_t data_bytes(int32_t) { return 320; }  // without the scales in line
  static constexpr int64_t scale_bytes(int32_t) { return 32; }
  static constexpr bool accepts(int32_t n) { return n == kLatent + kRope; }

  ATTNRT_HD static int32_t scale_byte(int32_t s) { return 8 * (s & 3) + (s >> 2); }

  ATTNRT_HD static uint8_t scale_code(const float* x) {
    const float wanted = larger(absmax(x, kNvfp4Block) / E2M1::kMax, power_of_two(-9));
    const uint8_t code = Fp8E4M3::encode(wanted);
    const bool low = Fp8E4M3::decode(code) < wanted && code < Fp8E4M3::kMaxFinite;
    return static_cast<uint8_t>(low ? code + 1 : code);
  }

  ATTNRT_HD static int32_t encode_row(const float* x, int32_t, uint8_t* row, uint8_t* scales) {
    int32_t lost = 0;
    for (int32_t s = 0; s < kLatent / kNvfp4Block; ++s) {
      const float* block = x + s * kNvfp4Block;
      const uint8_t code = scale_code(block);
      scales[scale_byte(s)] = code;
      lost += nvfp4_pack(block, code, row + s * (kNvfp4Block / 2));
    }
    return lost + PlainRow<Fp8E4M3>::encode_row(x + kLatent, kRope, row + kRopeOffset, nullptr);
  }

  template <class T>
  ATTNRT_HD static void decode_row(const uint8_t* row, const uint8_t* scales, int32_t, T* out) {
    for (int32_t s = 0; s < kLatent / kNvfp4Block; ++s) {
      nvfp4_unpack(row + s * (kNvfp4Block / 2), scales[scale_byte(s)], out + s * kNvfp4Block);
    }
    PlainRow<Fp8E4M3>::decode_row(row + kRopeOffset, nullptr, kRope, out + kLatent);
  }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_NVFP4_DS_MLA_H_
