// Dense values between f32 and the dtypes that a workload's queries, keys and outputs may have.
#pragma once

#include <cstdint>

#include "attnrt/format.hpp"

namespace attnrt::runtime {

// f32, f16 and bf16. 8-bit queries need scales that no recording holds.
bool convertible(DType dtype);
// Rounds to nearest even. Preconditions: convertible(dtype); `to` holds `count` elements.
void from_f32(const float* from, int64_t count, DType dtype, void* to);
void to_f32(const void* from, int64_t count, DType dtype, float* to);

}  // namespace attnrt::runtime
