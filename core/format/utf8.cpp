#include "format/utf8.hpp"

#include <cstdint>

namespace attnrt {
namespace {

// Bytes of the sequence that this first byte begins; 0: none.
size_t sequence_bytes(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return 2;
  if (first >= 0xe0 && first < 0xf0) return 3;
  if (first >= 0xf0 && first < 0xf5) return 4;
  return 0;
}

bool is_character(uint32_t code, size_t bytes) {
  if (bytes == 1)
    return (code >= 0x20 && code != 0x7f) || code == '\t' || code == '\n' || code == '\r';
  if (bytes == 2) return code >= 0xa0;  // C1 controls too
  if (bytes == 3) return code >= 0x800 && (code < 0xd800 || code > 0xdfff);
  return code >= 0x10000 && code <= 0x10ffff;
}

}  // namespace

size_t character_bytes(std::string_view text, size_t i) {
  const auto first = static_cast<unsigned char>(text[i]);
  const size_t bytes = sequence_bytes(first);
  if (bytes == 0 || i + bytes > text.size()) return 0;
  uint32_t code = bytes == 1 ? first : first & (0x7fu >> bytes);
  for (size_t k = 1; k < bytes; ++k) {
    const auto next = static_cast<unsigned char>(text[i + k]);
    if ((next & 0xc0) != 0x80) return 0;
    code = code << 6 | (next & 0x3fu);
  }
  return is_character(code, bytes) ? bytes : 0;
}

std::optional<size_t> first_non_text(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const size_t bytes = character_bytes(text, i);
    if (bytes == 0) return i;
    i += bytes;
  }
  return std::nullopt;
}

}  // namespace attnrt
