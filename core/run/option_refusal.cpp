#include "run/option_refusal.hpp"

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

// The ABI has no field for it: a plugin says in its text which option it means.
const std::string* option_meant(std::string_view text, const PluginOptions& given) {
  for (const auto& [key, value] : given) {
    if (!key.empty() && names(text, key)) return &key;
  }
  return nullptr;
}

}  // namespace

std::optional<Error> option_refusal(attnrt_status status, std::string_view text,
                                    const std::string& plugin, const PluginOptions& given,
                                    const SessionOptions& options) {
  const bool invalid = status == ATTNRT_INVALID_ARGUMENT;
  if (!invalid && status != ATTNRT_UNSUPPORTED && status != ATTNRT_UNAVAILABLE) return std::nullopt;
  const std::string* key = option_meant(text, given);
  if (key == nullptr && invalid && given.size() == 1) key = &given.front().first;
  if (key == nullptr) return std::nullopt;
  std::string where = options.option_place ? options.option_place(plugin, *key) : "";
  if (where.empty()) where = "plugin '" + plugin + "', option '" + *key + "'";
  return load::option_error(where, plugin, *key, text.empty() ? load::status_name(status) : text);
}

}  // namespace attnrt::runtime
