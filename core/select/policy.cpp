#include <algorithm>

#include "attnrt/select.hpp"
#include "format/nearest.hpp"

namespace attnrt {
namespace {

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Error invalid(std::string expected, std::string found, std::string remedy) {
  return Error{.code = ErrorCode::kInvalid,
               .where = "policy",
               .expected = std::move(expected),
               .found = std::move(found),
               .remedy = std::move(remedy)};
}

Status check_names(const std::vector<std::string>& names, const char* list,
                   const std::vector<std::string_view>& known) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (std::find(names.begin(), names.begin() + static_cast<ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<ptrdiff_t>(i)) {
      return invalid(std::string("each plugin once in ") + list,
                     in_quotes(names[i]) + " a second time", "remove one of them");
    }
    if (std::find(known.begin(), known.end(), names[i]) != known.end()) continue;
    Error error = unknown_name("a plugin that was found", names[i], known);
    error.where = std::string("policy: ") + list;
    if (known.empty()) error.remedy = "no plugin was found at all: check the plugin path";
    return error;
  }
  return Done{};
}

}  // namespace

Status check(const Policy& policy, const Catalog& catalog) {
  std::vector<std::string_view> known;
  for (const CatalogEntry& entry : catalog.entries()) known.push_back(entry.manifest.name);
  std::vector<std::string> required;
  if (!policy.require.empty()) required.push_back(policy.require);
  if (Status s = check_names(required, "require", known); !s) return s;
  if (Status s = check_names(policy.prefer, "prefer", known); !s) return s;
  if (Status s = check_names(policy.deny, "deny", known); !s) return s;
  if (holds(policy.deny, policy.require)) {
    return invalid("a policy without contradiction",
                   in_quotes(policy.require) + " both required and denied", "remove one of them");
  }
  for (const std::string& preferred : policy.prefer) {
    if (holds(policy.deny, preferred)) {
      return invalid("a policy without contradiction",
                     in_quotes(preferred) + " both preferred and denied", "remove one of them");
    }
    if (!policy.require.empty() && preferred != policy.require) {
      return invalid(
          "a policy without contradiction",
          in_quotes(preferred) + " preferred where " + in_quotes(policy.require) + " is required",
          "remove one of them");
    }
  }
  return Done{};
}

}  // namespace attnrt
