// The 128 magnitudes of 8-bit formats as bf16, high and low bytes apart: exact, all have at most 8
// significant bits.
#pragma once

#include <stdint.h>

#include "kernels/cpu/params.hpp"

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

// mantissa * 2^exponent, mantissa < 256, as a normal bf16.
constexpr uint16_t bf16_of(int mantissa, int exponent) {
  if (mantissa == 0) return 0;
  while (mantissa < 128) {
    mantissa *= 2;
    --exponent;
  }
  return static_cast<uint16_t>((exponent + 7 + 127) << 7 | (mantissa & 127));
}

constexpr uint16_t magnitude(Format f, int code) {
  constexpr uint16_t kInfinity = 0x7F80;
  constexpr uint16_t kNan = 0x7FC0;
  if (f == Format::kInt8) return bf16_of(code, 0);
  if (f == Format::kE5m2) {
    const int e = code >> 2;
    const int m = code & 3;
    if (e == 31) return m == 0 ? kInfinity : kNan;
    return e == 0 ? bf16_of(m, -16) : bf16_of(4 + m, e - 17);
  }
  const int e = code >> 3;
  const int m = code & 7;
  if (f == Format::kE4m3Fnuz) return e == 0 ? bf16_of(m, -10) : bf16_of(8 + m, e - 11);
  if (code == 127) return kNan;  // e4m3
  return e == 0 ? bf16_of(m, -9) : bf16_of(8 + m, e - 10);
}

struct Bf16Table {
  alignas(64) uint8_t high[128];
  alignas(64) uint8_t low[128];
};

constexpr Bf16Table make_bf16_table(Format f) {
  Bf16Table t{};
  for (int code = 0; code < 128; ++code) {
    const uint16_t x = magnitude(f, code);
    t.high[code] = static_cast<uint8_t>(x >> 8);
    t.low[code] = static_cast<uint8_t>(x & 255);
  }
  return t;
}

template <Format F>
inline constexpr Bf16Table kBf16Table = make_bf16_table(F);

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
