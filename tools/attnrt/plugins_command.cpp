// attnrt plugins: what is there and what was refused. Runs no plugin's code without --open.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "attnrt/command.hpp"
#include "attnrt/json.hpp"
#include "attnrt/text_table.hpp"

namespace attnrt::command {
namespace {

struct PluginsArgs {
  std::vector<std::string> names;  // empty: all
  bool open = false;
};

struct Opened {
  bool tried = false;
  Result<std::string> words = std::string();
};

bool wanted(const std::string& name, const PluginsArgs& args) {
  return args.names.empty() ||
         std::find(args.names.begin(), args.names.end(), name) != args.names.end();
}

// The device that a plugin's first kernel is for: this machine's first one.
Device device_of(const Manifest& manifest, const HostFacts& host) {
  Device device;
  device.ordinal = 0;
  device.cpu_features = host.cpu_features;
  for (const KernelManifest& kernel : manifest.kernels) {
    if (!kernel.device) continue;
    device.kind = *kernel.device;
    if (device.kind == DeviceKind::kCuda && !host.cuda_sms.empty()) device.sm = host.cuda_sms[0];
    if (device.kind == DeviceKind::kSimt && !kernel.sm.empty()) device.sm = kernel.sm[0];
    break;
  }
  return device;
}

std::vector<Opened> open_all(const PluginRegistry& registry, const PluginsArgs& args) {
  std::vector<Opened> opened(registry.plugins().size());
  if (!args.open) return opened;
  const HostFacts host = probe_host();
  for (uint32_t i = 0; i < opened.size(); ++i) {
    const ScannedPlugin& plugin = registry.plugins()[i];
    if (!plugin.has_code || !wanted(plugin.manifest.name, args)) continue;
    opened[i].tried = true;
    const Result<LoadedPlugin> loaded = registry.load(i);
    if (loaded.ok()) {
      opened[i].words = describe_plugin(*loaded, device_of(plugin.manifest, host));
    } else {
      opened[i].words = loaded.error();
    }
  }
  return opened;
}

std::string devices_text(const Manifest& manifest) {
  std::vector<std::string> kinds;
  for (const KernelManifest& kernel : manifest.kernels) {
    const std::string kind(kernel.device ? name(*kernel.device) : "unknown");
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
  }
  return join(kinds, ", ");
}

Json plugin_json(const ScannedPlugin& plugin, const Opened& opened) {
  Json kernels = Json::array();
  for (const KernelManifest& kernel : plugin.manifest.kernels) kernels.push_back(kernel.name);
  Json json = {
      {"name", plugin.manifest.name},
      {"version", plugin.manifest.version},
      {"vendor", plugin.manifest.vendor},
      {"license", plugin.manifest.license},
      {"description", plugin.manifest.description},
      {"abi", plugin.manifest.abi},
      {"path", plugin.path},
      {"real_path", plugin.real_path},
      {"has_code", plugin.has_code},
      {"kernels", std::move(kernels)},
      {"needs",
       {{"cpu", plugin.manifest.needs_cpu}, {"libraries", plugin.manifest.needs_libraries}}},
      {"missing_libraries", plugin.missing_libraries},
      {"warnings", plugin.warnings}};
  if (opened.tried && opened.words.ok()) json["opened"] = {{"says", *opened.words}};
  if (opened.tried && !opened.words.ok())
    json["opened"] = {{"refused", to_json(opened.words.error())}};
  return json;
}

std::string json_text(const PluginRegistry& registry, const std::vector<Opened>& opened,
                      const PluginsArgs& args) {
  Json json = {
      {"searched", registry.searched()}, {"plugins", Json::array()}, {"refused", Json::array()}};
  for (size_t i = 0; i < opened.size(); ++i) {
    const ScannedPlugin& plugin = registry.plugins()[i];
    if (wanted(plugin.manifest.name, args))
      json["plugins"].push_back(plugin_json(plugin, opened[i]));
  }
  for (const RefusedPlugin& refused : registry.refused()) {
    if (!args.names.empty() && !wanted(refused.name, args)) continue;
    json["refused"].push_back(
        {{"path", refused.path}, {"name", refused.name}, {"reason", to_json(refused.reason)}});
  }
  return dump(json);
}

std::string people_text(const PluginRegistry& registry, const std::vector<Opened>& opened,
                        const PluginsArgs& args) {
  TextTable table({"PLUGIN", "VERSION", ">KERNELS", "DEVICES", "FILE", "NOTE"});
  std::string warnings;
  for (size_t i = 0; i < opened.size(); ++i) {
    const ScannedPlugin& plugin = registry.plugins()[i];
    const Manifest& manifest = plugin.manifest;
    if (!wanted(manifest.name, args)) continue;
    std::string note = plugin.has_code ? "" : "bare manifest";
    if (!plugin.missing_libraries.empty()) {
      note = "lacks " + join(plugin.missing_libraries, ", ");
    }
    if (opened[i].tried) {
      note = opened[i].words.ok() ? *opened[i].words : to_string(opened[i].words.error());
    }
    table.add({manifest.name, manifest.version, std::to_string(manifest.kernels.size()),
               devices_text(manifest), plugin.path, note});
    for (const std::string& warning : plugin.warnings)
      warnings += "warning: " + printable(warning) + "\n";
  }
  std::string text = table.to_string() + warnings;
  for (const RefusedPlugin& refused : registry.refused()) {
    if (!args.names.empty() && !wanted(refused.name, args)) continue;
    text += "refused: " + to_string(refused.reason) + "\n";
  }
  return text + "searched: " + printable(join(registry.searched(), ", ")) + "\n";
}

// A plugin that was named must be there, and open if it was to be opened.
int exit_code(const PluginRegistry& registry, const std::vector<Opened>& opened,
              const PluginsArgs& args) {
  constexpr int kRefused = static_cast<int>(ErrorCode::kPluginRefused);
  for (const std::string& name : args.names) {
    bool found = false;
    for (size_t i = 0; i < opened.size(); ++i) {
      if (registry.plugins()[i].manifest.name != name) continue;
      found = true;
      if (opened[i].tried && !opened[i].words.ok()) return kRefused;
    }
    for (const RefusedPlugin& refused : registry.refused()) {
      if (!found && refused.name == name) return kRefused;
    }
    if (!found) {
      return report({ErrorCode::kInvalid, "", "the name of a plugin that was found",
                     "'" + name + "'", "see attnrt plugins"});
    }
  }
  return 0;
}

int run_plugins(const PluginsArgs& args, const Common& common) {
  const PluginRegistry registry = PluginRegistry::scan(common.search());
  const std::vector<Opened> opened = open_all(registry, args);
  const int code = exit_code(registry, opened, args);
  return finish(
      common.json ? json_text(registry, opened, args) : people_text(registry, opened, args), code);
}

}  // namespace

void add_plugins(CLI::App& app, const Common& common, Action& action) {
  CLI::App* sub = app.add_subcommand("plugins", "Which plugins are there, and which were refused");
  auto args = std::make_shared<PluginsArgs>();
  sub->add_option("names", args->names, "Only these plugins");
  sub->add_flag("--open", args->open, "Run their code: open them and show what they report");
  sub->callback([args, &common, &action] {
    action = [args, &common] { return run_plugins(*args, common); };
  });
}

}  // namespace attnrt::command
