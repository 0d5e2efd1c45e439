// NVFP4 blocks and rows (nvfp4_linear): n/2 bytes of e2m1 codes, low nibble the even element, and
// n/16 e4m3 scales, one per 16 values. The tensor's global factor is the caller's (k_scale,
// v_scale).
//   block scale = e4m3(absmax / 6); code = e2m1(x / block scale); a block scale of 0 stores zeros
//   read as code * block scale
// NaN is stored as 0 and counted. A page holds [K data | K scales | V data | V scales]. In
// nvfp4_linear the scale of (token t, block s) is byte s of row t of the scales, for K and V alike;
// nvfp4_swizzled.h moves those of V.
#ifndef ATTNRT_CODEC_NVFP4_H_
#define ATTNRT_CODEC_NVFP4_H_

#include "kernels/codec/e2m1.h"
#include "kernels/codec/fp8_e4m3.h"

namespace attnrt::codec {

inline constexpr int32_t kNvfp4Block = 16;

// 16 values with a given scale code into 8 bytes. Returns the number of NaN.
ATTNRT_HD int32_t nvfp4_pack(const float* x, uint8_t scale_code, uint8_t* bytes) {
  const float scale = Fp8E4M3::decode(scale_code);
  int32_t lost = 0;
  for (int32_t i = 0; i < kNvfp4Block; i += 2) {
    lost += (is_nan(x[i]) ? 1 : 0) + (is_nan(x[i + 1]) ? 1 : 0);
    const uint32_t low = scale == 0.0F ? 0U : E2M1::encode(x[i] / scale);
    const uint32_t high = scale == 0.0F ? 0U : E2M1::encode(x[i + 1] / scale);
    bytes[i / 2] = static_cast<uint8_t>(low | (high << 4));
  }
  return lost;
}

template <class T>
ATTNRT_HD void nvfp4_unpack(const uint8_t* bytes, uint8_t scale_code, T* out) {
  const T scale = T(Fp8E4M3::decode(scale_code));
  for (int32_t i = 0; i < kNvfp4Block; ++i) {
    const auto code = static_cast<uint8_t>((bytes[i / 2] >> (4 * (i & 1))) & 0xF);
    out[i] = T(E2M1::decode(code)) * scale;
  }
}

ATTNRT_HD uint8_t nvfp4_scale_code(const float* x) {
  return Fp8E4M3::encode(absmax(x, kNvfp4Block) / E2M1::kMax);
}

struct Nvfp4Linear {
  static constexpr int64_t data_bytes(int32_t n) { return n / 2; }
  static constexpr int64_t scale_bytes(int32_t n) { return n / kNvfp4Block; }
  static constexpr bool accepts(int32_t n) { return n >= kNvfp4Block && n % kNvfp4Block == 0; }

  ATTNRT_HD static int32_t encode_row(const float* x, int32_t n, uint8_t* row, uint8_t* scales) {
    int32_t lost = 0;
    for (int32_t s = 0; s < n / kNvfp4Block; ++s) {
      const float* block = x + s * kNvfp4Block;
      scales[s] = nvfp4_scale_code(block);
      lost += nvfp4_pack(block, scales[s], row + s * (kNvfp4Block / 2));
    }
    return lost;
  }

  template <class T>
  ATTNRT_HD static void decode_row(const uint8_t* row, const uint8_t* scales, int32_t n, T* out) {
    for (int32_t s = 0; s < n / kNvfp4Block; ++s) {
      nvfp4_unpack(row + s * (kNvfp4Block / 2), scales[s], out + s * kNvfp4Block);
    }
  }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_NVFP4_H_
