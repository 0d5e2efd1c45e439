// Unknown names: one way to say "this is not a known X; the known ones are …, the nearest is …".
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "attnrt/result.hpp"

namespace attnrt {

// "a, b, c"
std::string join(std::span<const std::string_view> names);

// Error kInvalid: `what` ("a KV format"), the text found, all known names and the nearest.
Error unknown_name(std::string_view what, std::string_view text,
                   std::span<const std::string_view> known);

// The text in quotes, shortened and printable: input may be hostile.
std::string in_quotes(std::string_view text);

}  // namespace attnrt
