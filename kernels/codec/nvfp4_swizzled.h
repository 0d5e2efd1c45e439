// nvfp4_swizzled: nvfp4 with V's scales permuted within four tokens, as SM100's trtllm-gen kernels
// read them and vLLM writes them (csrc/libtorch_stable/nvfp4_kv_cache_kernels.cu,
// swizzle_scale_offset). Data, K's scales, bytes and strides are those of nvfp4_linear.
//
// Of a page's block of T tokens (T a multiple of 4) and a row of S = n/16 scales (S a multiple of
// 4), the scale of (token t, block s) of V stands at
//   row  t - t % 4 + s / (S/4),   byte  s % (S/4) * 4 + t % 4
// so that the four tokens' scales of one block are neighbours.
#ifndef ATTNRT_CODEC_NVFP4_SWIZZLED_H_
#define ATTNRT_CODEC_NVFP4_SWIZZLED_H_

#include "kernels/codec/nvfp4.h"

namespace attnrt::codec {

struct ScalePlace {
  int32_t token;  // row of the scales within the page's block
  int32_t byte;   // in that row
};

ATTNRT_HD ScalePlace nvfp4_swizzle(int32_t token, int32_t s, int32_t row_scales) {
  const int32_t group = row_scales / 4;
  return {token - token % 4 + s / group, s % group * 4 + token % 4};
}

struct Nvfp4Swizzled : Nvfp4Linear {
  static constexpr bool accepts(int32_t n) { return n >= 64 && n % 64 == 0; }
  static constexpr bool accepts_block(int32_t block_size) { return block_size % 4 == 0; }

  // Moves a token's row of scales into its page; `page` is where the row of token 0 of the (block,
  // head) begins.
  ATTNRT_HD static void scatter_scales(const uint8_t* scales, int32_t n, int32_t token,
                                       uint8_t* page, int64_t token_stride) {
    for (int32_t s = 0; s < n / kNvfp4Block; ++s) {
      const ScalePlace at = nvfp4_swizzle(token, s, n / kNvfp4Block);
      page[at.token * token_stride + at.byte] = scales[s];
    }
  }

  ATTNRT_HD static void gather_scales(const uint8_t* page, int64_t token_stride, int32_t n,
                                      int32_t token, uint8_t* scales) {
    for (int32_t s = 0; s < n / kNvfp4Block; ++s) {
      const ScalePlace at = nvfp4_swizzle(token, s, n / kNvfp4Block);
      scales[s] = page[at.token * token_stride + at.byte];
    }
  }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_NVFP4_SWIZZLED_H_
