// Dense tensors of any element type, read and written as doubles.
#pragma once

#include <attnrt/plugin/views.hpp>
#include <cmath>

#include "kernels/codec/bf16.h"
#include "kernels/codec/f16.h"
#include "kernels/codec/fp8_e4m3.h"
#include "kernels/codec/fp8_e4m3fnuz.h"
#include "kernels/codec/fp8_e5m2.h"

namespace attnrt::reference {

// The row of (token, head) of a tensor that check_tensor has accepted.
inline uint8_t* tensor_row(const attnrt_tensor& t, int64_t token, int64_t head) {
  const int64_t element = token * t.stride[0] + head * t.stride[1];
  return static_cast<uint8_t*>(t.data) + element * plugin::dtype_bytes(t.dtype);
}

template <class Element>
double read_code(const uint8_t* row, int64_t i) {
  using Code = typename Element::Code;
  return Element::decode(codec::load<Code>(row + i * int64_t{sizeof(Code)}));
}

inline double read_element(int32_t dtype, const uint8_t* row, int64_t i) {
  switch (dtype) {
    case ATTNRT_DTYPE_F64:
      return codec::load<double>(row + 8 * i);
    case ATTNRT_DTYPE_F32:
      return codec::load<float>(row + 4 * i);
    case ATTNRT_DTYPE_F16:
      return read_code<codec::F16>(row, i);
    case ATTNRT_DTYPE_BF16:
      return read_code<codec::Bf16>(row, i);
    case ATTNRT_DTYPE_FP8_E4M3:
      return read_code<codec::Fp8E4M3>(row, i);
    case ATTNRT_DTYPE_FP8_E5M2:
      return read_code<codec::Fp8E5M2>(row, i);
    default:
      return read_code<codec::Fp8E4M3Fnuz>(row, i);
  }
}

// The float that rounds x to odd: rounding it once more, to a narrower type, gives what rounding x
// itself would have given. Finite values beyond the floats become the largest one.
inline float to_odd(double x) {
  if (!std::isfinite(x)) return static_cast<float>(x);
  if (std::abs(x) > double{codec::kMaxFloat}) {
    return x < 0 ? -codec::kMaxFloat : codec::kMaxFloat;
  }
  const auto nearest = static_cast<float>(x);
  const double error = x - double{nearest};
  if (error == 0.0 || (codec::bits_of(nearest) & 1U) != 0) return nearest;
  return std::nextafter(nearest, error > 0 ? INFINITY : -INFINITY);
}

template <class Element>
void write_code(uint8_t* row, int64_t i, double value) {
  using Code = typename Element::Code;
  codec::store<Code>(row + i * int64_t{sizeof(Code)}, Element::encode(to_odd(value)));
}

inline float to_float(double x) {
  const bool beyond = std::isfinite(x) && std::abs(x) > double{codec::kMaxFloat};
  return beyond ? to_odd(x) : static_cast<float>(x);
}

inline void write_element(int32_t dtype, uint8_t* row, int64_t i, double value) {
  switch (dtype) {
    case ATTNRT_DTYPE_F64:
      return codec::store<double>(row + 8 * i, value);
    case ATTNRT_DTYPE_F32:
      return codec::store<float>(row + 4 * i, to_float(value));
    case ATTNRT_DTYPE_F16:
      return write_code<codec::F16>(row, i, value);
    case ATTNRT_DTYPE_BF16:
      return write_code<codec::Bf16>(row, i, value);
    case ATTNRT_DTYPE_FP8_E4M3:
      return write_code<codec::Fp8E4M3>(row, i, value);
    case ATTNRT_DTYPE_FP8_E5M2:
      return write_code<codec::Fp8E5M2>(row, i, value);
    default:
      return write_code<codec::Fp8E4M3Fnuz>(row, i, value);
  }
}

// An lse tensor is f32, as the ABI says, or f64, which tests of this plugin use.
inline void check_lse(const attnrt_tensor& lse, const char* name, int64_t tokens, int64_t heads) {
  const int32_t dtype = lse.dtype == ATTNRT_DTYPE_F64 ? ATTNRT_DTYPE_F64 : ATTNRT_DTYPE_F32;
  plugin::check_tensor(lse, name, dtype, tokens, heads, 0);
}

}  // namespace attnrt::reference
