#include "run/option_refusal.hpp"

#include <algorithm>
#include <cctype>

#include "load/plugin_call.hpp"

namespace attnrt::runtime {
namespace {

bool in_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}

// As a word of its own: 'isa' is not named by "disaster".
bool names(std::string_view text, std::string_view key) {
  for (size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    const size_t end = at + key.size();
    const bool begins = at == 0 || !in_word(text[at - 1]);
    if (begins && (end == text.size() || !in_word(text[end]))) return true;
  }
  return false;
}

// The ABI has no field for it: a plugin says in its text which option it means. Empty: none of
// them.
std::string option_meant(std::string_view text, const PluginOptions& given) {
  for (const auto& [key, value] : given) {
    if (!key.empty() && names(text, key)) return key;
  }
  return given.size() == 1 ? given.front().first : "";
}

bool names_any(std::string_view text, const PluginOptions& given) {
  return std::any_of(given.begin(), given.end(), [&](const auto& option) {
    return !option.first.empty() && names(text, option.first);
  });
}

// Other statuses than INVALID_ARGUMENT may as well be about the machine.
bool about_options(attnrt_status status, std::string_view text, const PluginOptions& given) {
  if (given.empty()) return false;
  if (status == ATTNRT_INVALID_ARGUMENT) return true;
  if (status != ATTNRT_UNSUPPORTED && status != ATTNRT_UNAVAILABLE) return false;
  return names_any(text, given) || names(text, "option") || names(text, "options");
}

}  // namespace

std::optional<Error> option_refusal(attnrt_status status, std::string_view text,
                                    const std::string& plugin, const PluginOptions& given,
                                    const SessionOptions& options) {
  if (!about_options(status, text, given)) return std::nullopt;
  const std::string key = option_meant(text, given);
  std::string where = options.option_place ? options.option_place(plugin, key) : "";
  if (where.empty()) where = "options of plugin '" + plugin + "'";
  return load::option_error(where, plugin, key, text.empty() ? load::status_name(status) : text);
}

}  // namespace attnrt::runtime
