// All 256 values of e4m3, for scales that are read one at a time.
#pragma once

#include <stdint.h>

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

struct E4m3Values {
  float at[256];
};

constexpr E4m3Values make_e4m3_values() {
  E4m3Values values{};
  for (int code = 0; code < 256; ++code) {
    const int e = code >> 3 & 15;
    const int m = code & 7;
    float x = static_cast<float>(e == 0 ? m : 8 + m) * 0x1p-9F;
    for (int i = 1; i < e; ++i) x *= 2.0F;
    if ((code & 127) == 127) x = __builtin_nanf("");
    values.at[code] = code < 128 ? x : -x;
  }
  return values;
}

constexpr E4m3Values kE4m3Values = make_e4m3_values();

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
