// How the bytes of one (token, head) row divide into data and scales.
#pragma once

#include "attnrt/format.hpp"

namespace attnrt {

struct RowSplit {
  int64_t data = 0;           // bytes before the scales
  int64_t inline_scales = 0;  // bytes of the row from the scales to its end
  int64_t behind_page = 0;    // bytes of the row's share of the scales behind the page's rows
};

// `row`: row_bytes of the format and head size.
RowSplit split_row(const FormatInfo& format, int32_t head_dim, int64_t row);

}  // namespace attnrt
