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
// Infinities become NaN, which is stored as 0: in a rotated row all values would be as large as f32
// allows, and there is no bound for what they add up to.
void forget_infinities(HostTensor& t);
// Gives every key of v [keys, heads, width] one large value, each in a column of its own (of width
// neighbours), so that a key too many, too few or from another place shows beyond every bound.
// Cells of outliers stay as they are.
void mark_keys(const Cell& cell, int64_t width, HostTensor& v);
Parameters make_parameters(const Cell& cell);

}  // namespace attnrt::conformance
