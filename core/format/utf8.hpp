// Is this text? Names from files end in terminals and JSON, so they are checked at the edge.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace attnrt {

// Bytes of the character that begins at offset i: 0 where that is no valid UTF-8, or a control
// character other than tab, line feed and carriage return. Precondition: i < text.size().
size_t character_bytes(std::string_view text, size_t i);

// Offset of the first byte that is not part of valid UTF-8, or is a control character other than
// tab, line feed and carriage return.
std::optional<size_t> first_non_text(std::string_view text);

}  // namespace attnrt
