// Names of plugins in a configuration, against the plugins that were found.
#include <algorithm>

#include "attnrt/config.hpp"
#include "format/nearest.hpp"

namespace attnrt {
namespace {

using Names = std::vector<std::string_view>;

Names names_of(const Catalog& catalog) {
  Names names;
  for (const CatalogEntry& entry : catalog.entries()) names.push_back(entry.manifest.name);
  return names;
}

Status check_known(const std::string& name, const Names& known, const std::string& where) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return Done{};
  Error error = unknown_name("a plugin that was found", name, known);
  error.where = where;
  if (known.empty()) error.remedy = "no plugin was found at all: check the plugin path";
  return error;
}

// Which section a key of the run's policy comes from: that of its device, if it has the key.
std::string section_of(const RunConfig& config, const std::string& key) {
  const std::string kind(name(config.device.kind));
  const std::string own = "plugins.per_device." + kind + "." + key;
  return config.places.contains(own) ? own : "plugins." + key;
}

Status check_list(const RunConfig& config, const std::vector<std::string>& list,
                  const std::string& key, const Names& known) {
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string where = config.place(section_of(config, key) + "." + std::to_string(i));
    if (Status s = check_known(list[i], known, where); !s) return s;
    const auto here = list.begin() + static_cast<ptrdiff_t>(i);
    if (std::find(list.begin(), here, list[i]) == here) continue;
    return Error{ErrorCode::kInvalid, where, "each plugin once in " + key,
                 in_quotes(list[i]) + " a second time", "remove one of them"};
  }
  return Done{};
}

}  // namespace

Status check_plugin_names(const RunConfig& config, const Catalog& catalog) {
  const Names known = names_of(catalog);
  const Policy policy = config.plugins.policy_for(config.device.kind);
  if (!policy.require.empty()) {
    const std::string where = config.place(section_of(config, "require"));
    if (Status s = check_known(policy.require, known, where); !s) return s;
  }
  if (Status s = check_list(config, policy.prefer, "prefer", known); !s) return s;
  if (Status s = check_list(config, policy.deny, "deny", known); !s) return s;
  for (const auto& [plugin, options] : config.plugins.options) {
    const std::string where = config.place("plugins.options." + plugin);
    if (Status s = check_known(plugin, known, where); !s) return s;
  }
  // Of the policy alone, only contradictions are left; all but an empty one hold `prefer` or
  // `deny`.
  Status sound = check(policy, catalog);
  if (sound) return sound;
  Error error = std::move(sound).error();
  error.where = config.place(section_of(config, policy.prefer.empty() ? "deny" : "prefer"));
  return error;
}

Status check_oracle_name(const RunConfig& config, const Catalog& catalog) {
  if (!config.verify) return Done{};
  return check_known(config.verify->against, names_of(catalog), config.place("verify.against"));
}

}  // namespace attnrt
