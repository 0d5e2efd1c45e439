#include <algorithm>
#include <array>
#include <memory>

#include "attnrt/profile.hpp"
#include "config/files.hpp"
#include "config/sections.hpp"
#include "format/nearest.hpp"

namespace attnrt::config {
namespace {

constexpr std::array kKinds{DeviceKind::kCpu, DeviceKind::kCuda, DeviceKind::kRocm,
                            DeviceKind::kXpu, DeviceKind::kSimt};

PolicyOverride read_policy(Reader& reader) {
  PolicyOverride policy;
  policy.require = reader.text("require", "a plugin's name");
  policy.prefer = reader.words("prefer", "plugins' names");
  policy.deny = reader.words("deny", "plugins' names");
  return policy;
}

void refuse_contradiction(const Policy& policy, Position at, Scope& scope) {
  auto denied = [&](const std::string& name) {
    return std::find(policy.deny.begin(), policy.deny.end(), name) != policy.deny.end();
  };
  if (!policy.require.empty() && denied(policy.require)) {
    scope.fail(at, "a policy that can be met",
               "plugin " + in_quotes(policy.require) + " both required and denied");
  }
  for (const std::string& name : policy.prefer) {
    if (!denied(name)) continue;
    scope.fail(at, "a policy that can be met",
               "plugin " + in_quotes(name) + " both preferred and denied");
  }
}

void read_per_device(Reader& reader, PluginConfig& plugins) {
  const Tree* section = reader.get("per_device");
  if (section == nullptr) return;
  Scope& scope = reader.scope();
  Reader devices(*section, scope, "per_device");
  for (DeviceKind kind : kKinds) {
    const Tree* value = devices.get(name(kind));
    if (value == nullptr) continue;
    Reader policy(*value, scope, "per_device: " + std::string(name(kind)));
    plugins.per_device[kind] = read_policy(policy);
    policy.finish();
    refuse_contradiction(plugins.policy_for(kind), value->at, scope);
  }
  devices.finish();
}

void read_options(Reader& reader, PluginConfig& plugins) {
  const Tree* section = reader.get("options");
  if (section == nullptr) return;
  Scope& scope = reader.scope();
  Reader check(*section, scope, "options");  // names are the plugins': any key is one
  for (const Tree::Field& plugin : section->fields) {
    Reader check_plugin(plugin.value, scope, "options: " + plugin.key);
    for (const Tree::Field& option : plugin.value.fields) {
      if (auto value = as_text(option.value, scope, "a single value for " + option.key)) {
        plugins.options[plugin.key].emplace_back(option.key, *value);
      }
    }
  }
}

// Measured on the run's own device, else it would say nothing, and silently so.
void read_profile(Reader& reader, const Surroundings& around, RunConfig& run) {
  const auto file = reader.text("profile", "a measured profile's file");
  if (!file) return;
  Result<std::string> path = resolve_path(*file, around.folder);
  if (!path.ok()) {
    reader.scope().fail(reader.get("profile")->at, std::move(path).error());
    return;
  }
  Result<Profile> profile = load_profile(*path);
  if (!profile.ok()) {
    reader.scope().fail_elsewhere(std::move(profile).error());
    return;
  }
  if (Status fits = check(*profile, run.device, around.context.host); !fits.ok()) {
    reader.scope().fail_elsewhere(std::move(fits).error());
  }
  run.plugins.policy.profile = std::make_shared<const Profile>(*std::move(profile));
}

}  // namespace

std::optional<std::vector<std::string>> read_paths(Reader& reader, std::string_view key,
                                                   const Surroundings& around) {
  auto paths = reader.words(key, "a folder");
  if (!paths) return paths;
  for (std::string& path : *paths) {
    Result<std::string> resolved = resolve_path(path, around.folder);
    if (!resolved.ok()) {
      reader.scope().fail(reader.get(key)->at, std::move(resolved).error());
      return std::nullopt;
    }
    path = *std::move(resolved);
  }
  return paths;
}

void read_plugins(const Tree* section, Scope& scope, const Surroundings& around, RunConfig& run) {
  const Tree none;
  const Tree& tree = section == nullptr ? none : *section;
  Reader reader(tree, scope, "plugins");
  PluginConfig& plugins = run.plugins;
  plugins.search.path = read_paths(reader, "path", around).value_or(plugins.search.path);
  plugins.search.manifests =
      read_paths(reader, "manifests", around).value_or(plugins.search.manifests);
  plugins.search.trust_any_owner = reader.flag("trust_any_owner").value_or(false);
  const PolicyOverride policy = read_policy(reader);
  plugins.policy = {policy.require.value_or(""), policy.prefer.value_or(std::vector<std::string>{}),
                    policy.deny.value_or(std::vector<std::string>{})};
  read_profile(reader, around, run);
  refuse_contradiction(plugins.policy, tree.at, scope);
  read_per_device(reader, plugins);
  read_options(reader, plugins);
  if (const Tree* value = reader.get("on_refusal")) {
    if (value->text == "replan") plugins.on_refusal = PluginConfig::OnRefusal::kReplan;
    if (value->text != "replan" && value->text != "fail") {
      scope.fail(value->at, "fail or replan", describe(*value));
    }
  }
  reader.finish();
  if (around.context.plugin_path) plugins.search.path = *around.context.plugin_path;
  for (const std::string& folder : around.context.manifest_folders) {
    plugins.search.manifests.push_back(folder);
  }
}

}  // namespace attnrt::config

namespace attnrt {

Policy PluginConfig::policy_for(DeviceKind kind) const {
  Policy result = policy;
  const auto it = per_device.find(kind);
  if (it == per_device.end()) return result;
  if (it->second.require) result.require = *it->second.require;
  if (it->second.prefer) result.prefer = *it->second.prefer;
  if (it->second.deny) result.deny = *it->second.deny;
  return result;
}

}  // namespace attnrt
