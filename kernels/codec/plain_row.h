// Rows of plain elements: f32, f16, bf16 and the fp8 types. n codes one after the other, no scales
// in the row; the factor of the tensor or head is the caller's: encode x / scale, multiply what is
// read.
//
// Every row codec has this shape:
//   data_bytes(n), scale_bytes(n)   bytes of a row of n values and of its scales
//   accepts(n)                      whether a row may have n values
//   encode_row(x, n, row, scales)   stores n floats; returns how many NaN could not be stored
//   decode_row(row, scales, n, out) reads them as float or double; in double, the exact value
// `scales` is unused where scale_bytes is 0. Neither pointer is aligned.
#ifndef ATTNRT_CODEC_PLAIN_ROW_H_
#define ATTNRT_CODEC_PLAIN_ROW_H_

#include "kernels/codec/hd.h"

namespace attnrt::codec {

template <class Element>
struct PlainRow {
  using Code = typename Element::Code;
  static constexpr int64_t data_bytes(int32_t n) { return n * int64_t{sizeof(Code)}; }
  static constexpr int64_t scale_bytes(int32_t) { return 0; }
  static constexpr bool accepts(int32_t n) { return n >= 1; }

  ATTNRT_HD static int32_t encode_row(const float* x, int32_t n, uint8_t* row, uint8_t*) {
    for (int32_t i = 0; i < n; ++i) {
      store<Code>(row + i * int64_t{sizeof(Code)}, Element::encode(x[i]));
    }
    return 0;  // all of these have a NaN
  }

  template <class T>
  ATTNRT_HD static void decode_row(const uint8_t* row, const uint8_t*, int32_t n, T* out) {
    for (int32_t i = 0; i < n; ++i) {
      out[i] = T(Element::decode(load<Code>(row + i * int64_t{sizeof(Code)})));
    }
  }
};

}  // namespace attnrt::codec

#endif  // ATTNRT_CODEC_PLAIN_ROW_H_
