#include "attnrt/option_checks.hpp"

#include <charconv>

#include "attnrt/format.hpp"
#include "attnrt/text_table.hpp"

namespace attnrt::command {

CLI::Validator whole_number(int32_t min, int32_t max) {
  const auto parse = [min, max](std::string& text) -> std::string {
    int32_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc{} && stop == end && value >= min && value <= max) {
      text = std::to_string(value);  // without leading zeros
      return "";
    }
    return "expected a whole number from " + std::to_string(min) + " to " + std::to_string(max) +
           ", in decimal, found '" + text + "'";
  };
  return {parse, ""};
}

CLI::Validator not_empty(const std::string& what) {
  const auto check = [what](std::string& text) {
    return text.empty() ? "expected " + what + ", found nothing" : std::string();
  };
  return {check, ""};
}

std::optional<Error> unknown_subcommand(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  const std::vector<std::string> rest = app.remaining(true);
  if (at->get_require_subcommand_min() == 0 || rest.empty() || rest.front().starts_with("-")) {
    return std::nullopt;
  }
  std::vector<std::string> names;
  for (const CLI::App* sub : at->get_subcommands(nullptr)) names.push_back(sub->get_name());
  const std::vector<std::string_view> known(names.begin(), names.end());
  return Error{ErrorCode::kInvalid, "", "a subcommand (" + join(names, ", ") + ")",
               "'" + rest.front() + "'", "nearest: " + nearest(rest.front(), known)};
}

}  // namespace attnrt::command
