// A rotated row of q as whole numbers of 16 bits. What is lost is at most max |q| / (2
// kLargestWhole) of each value (docs/accuracy.md), or all of a row whose scale would be subnormal.
#pragma once

#include <stdint.h>

namespace attnrt::cpu::ATTNRT_CPU_ISA {
namespace {

constexpr int kLargestWhole = 127 * 256;  // whose upper byte is 127, whatever the lower one's sign

struct WholeQuery {
  float scale;
  int32_t sum;  // of the whole numbers
};

}  // namespace
}  // namespace attnrt::cpu::ATTNRT_CPU_ISA
