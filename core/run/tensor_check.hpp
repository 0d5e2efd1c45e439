// Checked mode, per call: shapes, dtypes and strides of q, k, v, out, lse. No allocation unless
// something is wrong.
#pragma once

#include <cstdint>

#include "attnrt/plugin.h"
#include "attnrt/result.hpp"
#include "run/session_impl.hpp"

namespace attnrt::runtime {

// Bytes of an ATTNRT_DTYPE_*; 0 if it is none.
constexpr int64_t element_size(int32_t dtype) {
  constexpr int64_t kBytes[] = {0, 8, 4, 2, 2, 1, 1, 1};
  return dtype >= ATTNRT_DTYPE_F64 && dtype <= ATTNRT_DTYPE_FP8_E4M3FNUZ ? kBytes[dtype] : 0;
}

Status check_append(const LayerCode& code, const attnrt_batch& batch, const attnrt_tensor& k,
                    const attnrt_tensor& v);
Status check_attend(const LayerCode& code, const attnrt_batch& batch, const attnrt_tensor& q,
                    const attnrt_tensor& out, const attnrt_tensor& lse);
// One part of a merge, or its result.
Status check_rows(const char* name, const LayerCode& code, const attnrt_tensor& tensor,
                  int32_t dtype, int64_t tokens, bool per_value);

}  // namespace attnrt::runtime
