#include "attnrt/result.hpp"

#include "format/utf8.hpp"

namespace attnrt {
namespace {

std::string escaped(char c) {
  constexpr char kDigits[] = "0123456789abcdef";
  if (c == '\n') return "\\n";
  if (c == '\t') return "\\t";
  if (c == '\r') return "\\r";
  const auto byte = static_cast<unsigned char>(c);
  return {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
}

enum class Lines : uint8_t { kEscape, kKeep };

std::string printed(std::string_view text, Lines lines) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const bool white = c == '\n' || c == '\t' || c == '\r';
    const size_t bytes = white ? 0 : character_bytes(text, i);
    if (bytes > 0) {
      out += text.substr(i, bytes);
      i += bytes;
      continue;
    }
    out += c == '\n' && lines == Lines::kKeep ? std::string(1, c) : escaped(c);
    ++i;
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) {
  return printed(text, Lines::kEscape);
}

std::string printable_lines(std::string_view text) {
  return printed(text, Lines::kKeep);
}

std::string to_string(const Error& error) {
  std::string text;
  if (!error.where.empty()) text += error.where + ": ";
  if (!error.expected.empty()) text += "expected " + error.expected + ", found ";
  text += error.found;
  if (!error.remedy.empty()) text += "; " + error.remedy;
  return printable(text);
}

}  // namespace attnrt
