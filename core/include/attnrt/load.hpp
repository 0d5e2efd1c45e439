// Loading: finding, checking and opening plugins. Every step refuses one plugin, with what was
// expected, what was found and a remedy, and never stops the others. Scanning runs no plugin's
// code.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "attnrt/plugin.h"
#include "attnrt/result.hpp"
#include "attnrt/select.hpp"

namespace attnrt {

struct SearchOptions {
  std::vector<std::string> path;  // --plugins or YAML; empty: ATTNRT_PLUGIN_PATH, then the default
  std::vector<std::string> manifests;  // folders of bare *.yaml manifests: planned for, never run
  bool trust_any_owner = false;        // skip the checks of owner and mode; logged
};

// What a plugin found on the path turned out to be.
struct ScannedPlugin {
  std::string path;       // as found
  std::string real_path;  // links resolved
  Manifest manifest;      // valid if !refusal
  std::vector<std::string> missing_libraries;
  bool has_code = true;  // false: a bare manifest
  std::vector<std::string> warnings;
};
struct RefusedPlugin {
  std::string path;
  Error reason;
};

// A plugin whose code is in the process: it stays for ever.
struct LoadedPlugin {
  const attnrt_plugin* table = nullptr;
  std::string name;
  std::string path;
};

class PluginRegistry {
 public:
  // Scans; never fails as a whole. Absent folders are empty ones, with a warning in the log.
  static PluginRegistry scan(const SearchOptions& options);
  PluginRegistry(PluginRegistry&&) noexcept;
  PluginRegistry& operator=(PluginRegistry&&) noexcept;
  ~PluginRegistry();

  const std::vector<ScannedPlugin>& plugins() const;  // same order as catalog().entries()
  const std::vector<RefusedPlugin>& refused() const;
  const std::vector<std::string>& searched() const;  // folders, in order
  const Catalog& catalog() const;

  // Runs the plugin's code: dlopen, manifest in memory == in file, entry point, required functions.
  // Idempotent; thread-safe. Error kPluginRefused.
  Result<LoadedPlugin> load(uint32_t plugin) const;

 private:
  struct Impl;
  explicit PluginRegistry(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace attnrt
