#include "tests/support/dense_tensor.hpp"

#include <stdexcept>

#include "attnrt/plugin/views.hpp"
#include "kernels/codec/bf16.h"
#include "kernels/codec/f16.h"
#include "kernels/codec/fp8_e4m3.h"
#include "kernels/codec/fp8_e4m3fnuz.h"
#include "kernels/codec/fp8_e5m2.h"

namespace attnrt::testing {
namespace {

constexpr uint8_t kPadding = 0xA5;

template <class Element>
double read_code(const uint8_t* from) {
  return Element::decode(codec::load<typename Element::Code>(from));
}

template <class Element>
void write_code(uint8_t* to, float value) {
  codec::store<typename Element::Code>(to, Element::encode(value));
}

[[noreturn]] void unknown_dtype() {
  throw std::invalid_argument("a test named an element type that does not exist");
}

}  // namespace

double read_element(int32_t dtype, const uint8_t* from) {
  switch (dtype) {
    case ATTNRT_DTYPE_F64:
      return codec::load<double>(from);
    case ATTNRT_DTYPE_F32:
      return codec::load<float>(from);
    case ATTNRT_DTYPE_F16:
      return read_code<codec::F16>(from);
    case ATTNRT_DTYPE_BF16:
      return read_code<codec::Bf16>(from);
    case ATTNRT_DTYPE_FP8_E4M3:
      return read_code<codec::Fp8E4M3>(from);
    case ATTNRT_DTYPE_FP8_E5M2:
      return read_code<codec::Fp8E5M2>(from);
    case ATTNRT_DTYPE_FP8_E4M3FNUZ:
      return read_code<codec::Fp8E4M3Fnuz>(from);
    default:
      unknown_dtype();
  }
}

void write_element(int32_t dtype, uint8_t* to, double value) {
  const auto single = static_cast<float>(value);
  switch (dtype) {
    case ATTNRT_DTYPE_F64:
      return codec::store<double>(to, value);
    case ATTNRT_DTYPE_F32:
      return codec::store<float>(to, single);
    case ATTNRT_DTYPE_F16:
      return write_code<codec::F16>(to, single);
    case ATTNRT_DTYPE_BF16:
      return write_code<codec::Bf16>(to, single);
    case ATTNRT_DTYPE_FP8_E4M3:
      return write_code<codec::Fp8E4M3>(to, single);
    case ATTNRT_DTYPE_FP8_E5M2:
      return write_code<codec::Fp8E5M2>(to, single);
    case ATTNRT_DTYPE_FP8_E4M3FNUZ:
      return write_code<codec::Fp8E4M3Fnuz>(to, single);
    default:
      unknown_dtype();
  }
}

DenseTensor::DenseTensor(int32_t dtype, TensorShape shape, int64_t padding)
    : dtype_(dtype), shape_(shape) {
  const bool rank2 = shape.width == 0;
  head_stride_ = rank2 ? 1 : shape.width + padding;
  token_stride_ = shape.heads * head_stride_ + padding;
  const int64_t elements = shape.tokens * token_stride_;
  bytes_.assign(static_cast<size_t>(elements * plugin::dtype_bytes(dtype)), kPadding);
}

attnrt_tensor DenseTensor::view() {
  attnrt_tensor t{};
  t.data = bytes_.data();
  t.dtype = dtype_;
  t.rank = shape_.width == 0 ? 2 : 3;
  t.shape[0] = shape_.tokens;
  t.shape[1] = shape_.heads;
  t.shape[2] = shape_.width;
  t.stride[0] = token_stride_;
  t.stride[1] = head_stride_;
  t.stride[2] = shape_.width == 0 ? 0 : 1;
  return t;
}

size_t DenseTensor::offset(int64_t token, int64_t head, int64_t i) const {
  const int64_t element = token * token_stride_ + head * head_stride_ + i;
  return static_cast<size_t>(element * plugin::dtype_bytes(dtype_));
}

double DenseTensor::get(int64_t token, int64_t head, int64_t i) const {
  return read_element(dtype_, bytes_.data() + offset(token, head, i));
}

void DenseTensor::set(int64_t token, int64_t head, int64_t i, double value) {
  write_element(dtype_, bytes_.data() + offset(token, head, i), value);
}

std::vector<double> DenseTensor::values() const {
  std::vector<double> all;
  for (int64_t t = 0; t < shape_.tokens; ++t) {
    for (int64_t h = 0; h < shape_.heads; ++h) {
      for (int64_t i = 0; i < row_width(); ++i) all.push_back(get(t, h, i));
    }
  }
  return all;
}

void DenseTensor::fill(std::span<const double> values) {
  size_t next = 0;
  for (int64_t t = 0; t < shape_.tokens; ++t) {
    for (int64_t h = 0; h < shape_.heads; ++h) {
      for (int64_t i = 0; i < row_width(); ++i) set(t, h, i, values[next++]);
    }
  }
}

void DenseTensor::fill(double value) {
  const int64_t count = shape_.tokens * shape_.heads * row_width();
  fill(std::vector<double>(static_cast<size_t>(count), value));
}

bool DenseTensor::padding_untouched() const {
  std::vector<bool> used(bytes_.size(), false);
  const auto size = static_cast<size_t>(plugin::dtype_bytes(dtype_));
  for (int64_t t = 0; t < shape_.tokens; ++t) {
    for (int64_t h = 0; h < shape_.heads; ++h) {
      for (int64_t i = 0; i < row_width(); ++i) {
        for (size_t b = 0; b < size; ++b) used[offset(t, h, i) + b] = true;
      }
    }
  }
  for (size_t i = 0; i < bytes_.size(); ++i) {
    if (!used[i] && bytes_[i] != kPadding) return false;
  }
  return true;
}

}  // namespace attnrt::testing
