// consumer FOLDER [PLUGIN…]: the default search path of the linked library is FOLDER, and every
// PLUGIN is found there, with a manifest that selects.
#include <algorithm>
#include <attnrt/device.hpp>
#include <attnrt/load.hpp>
#include <attnrt/select.hpp>
#include <cstdio>
#include <string>

namespace {

bool has(const attnrt::PluginRegistry& registry, const std::string& name) {
  return std::any_of(registry.plugins().begin(), registry.plugins().end(),
                     [&](const auto& plugin) { return plugin.manifest.name == name; });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const auto registry = attnrt::PluginRegistry::scan({});
  if (registry.searched().empty() || registry.searched().back() != argv[1]) {
    std::fprintf(stderr, "expected the default folder %s, found %s\n", argv[1],
                 registry.searched().empty() ? "none" : registry.searched().back().c_str());
    return 1;
  }
  for (int i = 2; i < argc; ++i) {
    if (!has(registry, argv[i])) {
      std::fprintf(stderr, "expected the plugin %s in %s\n", argv[i], argv[1]);
      return 1;
    }
  }
  attnrt::Request request;
  const auto decision = attnrt::select(request, registry.catalog());
  std::printf("%zu plugins, %zu kernels\n", registry.plugins().size(), decision.candidates.size());
  return 0;
}
