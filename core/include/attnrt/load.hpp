// Loading: finding, checking and opening plugins. Every step refuses one plugin, with what was
// expected, what was found and a remedy, and never stops the others. Scanning runs no plugin's
// code. A registry does not change once it is scanned: its const functions are thread-safe.
#pragma once

#include <cstdint>
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
// Why a plugin was refused, in the order of the checks.
enum class RefusalKind : uint8_t {
  kUnreadable,       // absent, no permission, an I/O error
  kDanglingLink,     // a link to nothing, or a circle of links
  kNotRegularFile,   // a folder, FIFO, device or socket
  kUntrusted,        // owner or mode of the file or of its folder
  kNotElf,           // not a shared object at all, or cut off within its headers
  kForeignElf,       // 32-bit, big-endian, of another machine, an executable
  kMalformedElf,     // tables that point outside the file, and the like
  kNoManifest,       // no manifest section
  kManifestSection,  // writable, twice, too large, bad header: not as attnrt/plugin.h says
  kManifestText,     // the text is no valid manifest
  kAbi,              // built for another major version of the ABI
  kNoEntry,          // the entry point is not exported
  kShadowed,         // another plugin of that name comes first
  kNoCode,           // a bare manifest was to be run
  kMissingLibrary,   // a library that it needs is not installed
  kOpenFailed,       // the dynamic loader refused it
  kChanged,          // the file or its manifest is not the one that was checked
  kEntryFailed,      // the entry point answered an error, threw, or gave no usable table
  kMissingFunction,  // a function that the manifest's ops need is null
};
struct RefusedPlugin {
  std::string path;
  std::string name;  // the plugin's, or where its manifest could not be read, the file's stem
  RefusalKind kind = RefusalKind::kUnreadable;
  Error reason;  // code kPluginRefused
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
  // Why the plugin of that name is not among plugins(); null: it is, or there is no such file.
  const RefusedPlugin* find_refused(const std::string& name) const;
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

// The plugin's own words about what it uses on a device ("avx512, 2 threads"), empty if it has
// none. Runs its code: opens an instance and closes it again. Error kPluginRefused.
Result<std::string> describe_plugin(const LoadedPlugin& plugin, const Device& device);

// The manifest of one file, a plugin's (none of its code is run) or a bare one's. Error kInvalid.
Result<Manifest> read_manifest_file(const std::string& path);

}  // namespace attnrt
