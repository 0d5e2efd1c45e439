#include "run/convert.hpp"

#include <bit>
#include <cmath>
#include <cstring>

namespace attnrt::runtime {
namespace {

uint16_t to_bf16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if (std::isnan(x)) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float from_bf16(uint16_t x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x) << 16);
}

uint16_t to_f16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  if (std::isnan(x)) return static_cast<uint16_t>(sign | 0x7e00);
  const float size = std::fabs(x);
  if (size >= 65520.0f) return static_cast<uint16_t>(sign | 0x7c00);  // rounds to infinity
  if (size < 0x1p-14f) {  // subnormal: multiples of 2^-24; nearbyint rounds to even
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyint(size * 0x1p24f)));
  }
  const uint32_t magnitude = bits & 0x7fffffff;
  const uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
  return static_cast<uint16_t>(sign | ((rounded - (112u << 23)) >> 13));
}

float from_f16(uint16_t x) {
  const float sign = (x & 0x8000) != 0 ? -1.0f : 1.0f;
  const int exponent = (x >> 10) & 31;
  const auto mantissa = static_cast<float>(x & 0x3ff);
  if (exponent == 31) return mantissa == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * mantissa * 0x1p-24f;
  return sign * std::ldexp(mantissa + 1024.0f, exponent - 25);
}

}  // namespace

bool convertible(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBf16;
}

void from_f32(const float* from, int64_t count, DType dtype, void* to) {
  if (dtype == DType::kF32) {
    std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
    return;
  }
  auto* out = static_cast<uint16_t*>(to);
  for (int64_t i = 0; i < count; ++i) {
    out[i] = dtype == DType::kF16 ? to_f16(from[i]) : to_bf16(from[i]);
  }
}

void to_f32(const void* from, int64_t count, DType dtype, float* to) {
  if (dtype == DType::kF32) {
    std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
    return;
  }
  const auto* in = static_cast<const uint16_t*>(from);
  for (int64_t i = 0; i < count; ++i) {
    to[i] = dtype == DType::kF16 ? from_f16(in[i]) : from_bf16(in[i]);
  }
}

}  // namespace attnrt::runtime
