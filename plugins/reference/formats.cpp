#include "formats.hpp"

#include "kernels/codec/bf16.h"
#include "kernels/codec/f16.h"
#include "kernels/codec/f32.h"
#include "kernels/codec/fp8_ds_mla_v32.h"
#include "kernels/codec/fp8_ds_mla_v4.h"
#include "kernels/codec/fp8_ds_mla_v41.h"
#include "kernels/codec/fp8_e4m3.h"
#include "kernels/codec/fp8_e4m3fnuz.h"
#include "kernels/codec/fp8_e5m2.h"
#include "kernels/codec/fp8_per_token_head.h"
#include "kernels/codec/int4_per_token_head.h"
#include "kernels/codec/int4_per_token_head_zp.h"
#include "kernels/codec/int8_per_token_head.h"
#include "kernels/codec/nvfp4.h"
#include "kernels/codec/nvfp4_4over6.h"
#include "kernels/codec/nvfp4_ds_mla.h"
#include "kernels/codec/nvfp4_swizzled.h"
#include "kernels/codec/plain_row.h"

namespace attnrt::reference {
namespace {

template <class Codec>
constexpr RowFormat row_format(std::string_view name,
                               ScalePlacement v_scales = ScalePlacement::kBySide) {
  return {name,
          v_scales,
          [](int32_t n) { return Codec::scale_bytes(n); },
          [](int32_t n) { return Codec::accepts(n); },
          [](const float* x, int32_t n, uint8_t* row, uint8_t* scales) {
            return Codec::encode_row(x, n, row, scales);
          },
          [](const uint8_t* row, const uint8_t* scales, int32_t n, double* out) {
            Codec::decode_row(row, scales, n, out);
          }};
}

constexpr RowFormat kFormats[] = {
    row_format<codec::PlainRow<codec::F32>>("f32"),
    row_format<codec::PlainRow<codec::F16>>("f16"),
    row_format<codec::PlainRow<codec::Bf16>>("bf16"),
    row_format<codec::PlainRow<codec::Fp8E4M3>>("fp8_e4m3"),
    row_format<codec::PlainRow<codec::Fp8E5M2>>("fp8_e5m2"),
    row_format<codec::PlainRow<codec::Fp8E4M3Fnuz>>("fp8_e4m3fnuz"),
    row_format<codec::Int8PerTokenHead>("int8_per_token_head"),
    row_format<codec::Fp8PerTokenHead>("fp8_per_token_head"),
    row_format<codec::Int4PerTokenHead>("int4_per_token_head"),
    row_format<codec::Int4PerTokenHeadZp>("int4_per_token_head_zp"),
    row_format<codec::Nvfp4Linear>("nvfp4_linear"),
    row_format<codec::Nvfp4Swizzled>("nvfp4_swizzled", ScalePlacement::kSwizzled),
    row_format<codec::Nvfp44Over6>("nvfp4_4over6", ScalePlacement::kSwizzled),
    row_format<codec::Fp8DsMlaV32>("fp8_ds_mla_v32"),
    row_format<codec::Fp8DsMlaV4>("fp8_ds_mla_v4"),
    row_format<codec::Fp8DsMlaV41>("fp8_ds_mla_v41"),
    row_format<codec::Nvfp4DsMla>("nvfp4_ds_mla"),
};

}  // namespace

const RowFormat* find_format(std::string_view name) {
  for (const RowFormat& format : kFormats) {
    if (format.name == name) return &format;
  }
  return nullptr;
}

}  // namespace attnrt::reference
