// Text that is safe to parse and to print: valid UTF-8 without control characters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace attnrt::load {

// Tabs and line ends are allowed. Overlong forms, surrogates and values above U+10FFFF are not.
inline bool is_plain_utf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<uint8_t>(text[i]);
    if (lead < 0x80) {
      const bool control = lead < 0x20 || lead == 0x7f;
      if (control && lead != '\t' && lead != '\n' && lead != '\r') return false;
      ++i;
      continue;
    }
    const size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || more >= text.size() - i) return false;
    uint32_t value = lead & (0x3fu >> more);
    for (size_t k = 1; k <= more; ++k) {
      const auto byte = static_cast<uint8_t>(text[i + k]);
      if ((byte & 0xc0) != 0x80) return false;
      value = value << 6 | (byte & 0x3fu);
    }
    // The first value that this length may hold; 0x80 to 0x9f are control characters.
    constexpr uint32_t kLeast[] = {0, 0xa0, 0x800, 0x10000};
    if (value < kLeast[more] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
      return false;
    i += more + 1;
  }
  return true;
}

}  // namespace attnrt::load
