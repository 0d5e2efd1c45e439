// The manifest of a plugin of ours, from its source: for tests that need no build of it.
#pragma once

#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "attnrt/manifest.hpp"

namespace attnrt::testing {

// folder: of plugins/. Throws where the text does not parse.
inline Manifest read_plugin_manifest(const std::string& folder) {
  const std::string path = ATTNRT_SOURCE_DIR "/plugins/" + folder + "/manifest.yaml";
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  auto parsed = parse_manifest(text.str(), path);
  if (!parsed.ok()) throw std::runtime_error(path + " does not parse");
  return *parsed;
}

// Of kernels: a manifest's, or those of a plugin's table.
template <class Kernels>
std::set<std::string_view> names_of(const Kernels& kernels) {
  std::set<std::string_view> names;
  for (const auto& kernel : kernels) names.insert(kernel.name);
  return names;
}

// Its kernel of that name; throws where there is none.
inline const KernelManifest& kernel_of(const Manifest& manifest, std::string_view name) {
  for (const KernelManifest& k : manifest.kernels) {
    if (k.name == name) return k;
  }
  throw std::runtime_error("no kernel " + std::string(name) + " in the manifest");
}

}  // namespace attnrt::testing
