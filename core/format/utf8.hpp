// Is this text? Names from files end in terminals and JSON, so they are checked at the edge.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace attnrt {

// Offset of the first byte that is not part of valid UTF-8, or is a control character other than
// tab, line feed and carriage return.
std::optional<size_t> first_non_text(std::string_view text);

}  // namespace attnrt
