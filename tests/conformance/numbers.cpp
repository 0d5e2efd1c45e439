#include "numbers.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/codec/bf16.h"
#include "kernels/codec/f16.h"
#include "kernels/codec/fp8_e4m3.h"
#include "kernels/codec/fp8_e4m3fnuz.h"
#include "kernels/codec/fp8_e5m2.h"
#include "pages.hpp"

namespace attnrt::conformance {
namespace {

template <class Codec>
void encode_with(double value, void* to) {
  const auto code = Codec::encode(static_cast<float>(value));
  std::memcpy(to, &code, sizeof code);
}

template <class Codec>
double decode_with(const void* from) {
  typename Codec::Code code;
  std::memcpy(&code, from, sizeof code);
  return static_cast<double>(Codec::decode(code));
}

template <class T>
T load(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace

void encode(DType dtype, double value, void* to) {
  const auto single = static_cast<float>(value);
  switch (dtype) {
    case DType::kF64:
      std::memcpy(to, &value, sizeof value);
      return;
    case DType::kF32:
      std::memcpy(to, &single, sizeof single);
      return;
    case DType::kF16:
      return encode_with<codec::F16>(value, to);
    case DType::kBf16:
      return encode_with<codec::Bf16>(value, to);
    case DType::kFp8E4m3:
      return encode_with<codec::Fp8E4M3>(value, to);
    case DType::kFp8E5m2:
      return encode_with<codec::Fp8E5M2>(value, to);
    case DType::kFp8E4m3fnuz:
      return encode_with<codec::Fp8E4M3Fnuz>(value, to);
  }
}

double decode(DType dtype, const void* from) {
  switch (dtype) {
    case DType::kF64:
      return load<double>(from);
    case DType::kF32:
      return static_cast<double>(load<float>(from));
    case DType::kF16:
      return decode_with<codec::F16>(from);
    case DType::kBf16:
      return decode_with<codec::Bf16>(from);
    case DType::kFp8E4m3:
      return decode_with<codec::Fp8E4M3>(from);
    case DType::kFp8E5m2:
      return decode_with<codec::Fp8E5M2>(from);
    case DType::kFp8E4m3fnuz:
      return decode_with<codec::Fp8E4M3Fnuz>(from);
  }
  return 0;
}

double saturated(DType dtype, double value) {
  if (element_bytes(dtype) > 2 || std::isnan(value)) return value;
  if (element_bytes(dtype) == 2 && std::isinf(value)) return value;
  uint8_t code[2];
  encode(dtype, static_cast<double>(std::numeric_limits<float>::max()), code);
  const double most = decode(dtype, code);
  return std::clamp(value, -most, most);
}

HostTensor::HostTensor(DType dtype_in, int64_t tokens, int64_t heads, int64_t width,
                       int64_t padding)
    : dtype(dtype_in), shape{tokens, heads, width} {
  stride[1] = width + padding;
  stride[0] = heads * stride[1] + padding;
  bytes.assign(static_cast<size_t>(tokens * stride[0] * element_bytes(dtype)), kPoison);
}

void HostTensor::set(int64_t token, int64_t head, int64_t i, double value) {
  const int64_t at = token * stride[0] + head * stride[1] + i;
  encode(dtype, value, bytes.data() + at * element_bytes(dtype));
}

double HostTensor::get(int64_t token, int64_t head, int64_t i) const {
  const int64_t at = token * stride[0] + head * stride[1] + i;
  return decode(dtype, bytes.data() + at * element_bytes(dtype));
}

attnrt_tensor HostTensor::view(void* data) const {
  attnrt_tensor t{};
  t.data = data;
  t.dtype = static_cast<int32_t>(dtype);
  t.rank = 3;
  std::copy(shape, shape + 3, t.shape);
  std::copy(stride, stride + 3, t.stride);
  return t;
}

attnrt_tensor HostTensor::view2(void* data) const {
  attnrt_tensor t = view(data);
  t.rank = 2;
  t.shape[2] = t.stride[2] = 0;
  return t;
}

int64_t HostTensor::disturbed() const {
  std::vector<bool> owned(bytes.size());
  const int64_t size = element_bytes(dtype);
  for (int64_t t = 0; t < shape[0]; ++t)
    for (int64_t h = 0; h < shape[1]; ++h)
      for (int64_t i = 0; i < shape[2] * size; ++i)
        owned[static_cast<size_t>((t * stride[0] + h * stride[1]) * size + i)] = true;
  int64_t count = 0;
  for (size_t i = 0; i < bytes.size(); ++i) count += !owned[i] && bytes[i] != kPoison;
  return count;
}

}  // namespace attnrt::conformance
