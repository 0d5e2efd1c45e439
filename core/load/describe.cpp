// What one plugin or manifest says of itself, asked for by name.
#include <array>

#include "attnrt/load.hpp"
#include "load/host.hpp"
#include "load/inspect.hpp"
#include "load/plugin_call.hpp"

namespace attnrt {
namespace {

// A file that was named on purpose and is only read: whose it is does not matter.
Error as_invalid(load::Refusal refusal, const std::string& path) {
  refusal.error.code = ErrorCode::kInvalid;
  if (refusal.error.where.empty()) refusal.error.where = path;
  return std::move(refusal.error);
}

}  // namespace

Result<std::string> describe_plugin(const LoadedPlugin& plugin, const Device& device) {
  if (plugin.table->describe == nullptr) return std::string();
  attnrt_device wanted{};
  wanted.struct_size = sizeof wanted;
  wanted.kind = static_cast<int32_t>(device.kind);
  wanted.ordinal = device.ordinal < 0 ? 0 : device.ordinal;
  wanted.sm = device.sm;
  wanted.gfx = device.gfx.empty() ? nullptr : device.gfx.c_str();
  const load::Host host(plugin.name);
  attnrt_instance* instance = nullptr;
  const Status opened = load::call_plugin(plugin.name, "open", [&](attnrt_error* error) {
    return plugin.table->open(host.table(), &wanted, &instance, error);
  });
  if (!opened.ok()) return opened.error();
  std::array<char, 256> text{};
  const Status described = load::call_plugin(plugin.name, "describe", [&](attnrt_error*) {
    return plugin.table->describe(instance, text.data(), text.size());
  });
  plugin.table->close(instance);
  if (!described.ok()) return described.error();
  text.back() = '\0';
  return std::string(text.data());
}

Result<Manifest> read_manifest_file(const std::string& path) {
  std::string text;
  if (path.ends_with(".so")) {
    const load::TrustRules anybody{load::OwnerRule::kAnybody, {}};
    load::Checked<load::Inspected> plugin = load::inspect_file(path, anybody);
    if (!plugin.ok()) return as_invalid(plugin.error(), path);
    text = std::move(plugin->image.manifest.text);
  } else {
    load::Checked<std::string> bare = load::read_bare_manifest(path);
    if (!bare.ok()) return as_invalid(bare.error(), path);
    text = *std::move(bare);
  }
  load::Checked<Manifest> manifest = load::read_manifest(text, path);
  if (!manifest.ok()) return as_invalid(manifest.error(), path);
  return *std::move(manifest);
}

}  // namespace attnrt
