// Random inputs of a cell, seeded by it.
#pragma once

#include "batch.hpp"
#include "cell.hpp"
#include "numbers.hpp"
#include "subject.hpp"

namespace attnrt::conformance {

// [tokens, heads, width] in `dtype`, as the cell's fill says.
HostTensor make_tensor(const Cell& cell, DType dtype, int64_t tokens, int64_t heads, int64_t width,
                       uint32_t stream);
Parameters make_parameters(const Cell& cell);

}  // namespace attnrt::conformance
