// Letters of dots, 5 × 8: pictures need no font of the system, and look the same everywhere.
#pragma once

#include <array>
#include <cstdint>

namespace attnrt::bench {

// Columns from the left; the lowest bit is the top row. Bytes that are no printable ASCII: a blank.
std::array<uint8_t, 5> glyph(char c);

}  // namespace attnrt::bench
