// PluginRegistry: the steps of loading in order, for every file that the search path holds.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include "attnrt/load.hpp"
#include "attnrt/log.hpp"
#include "load/inspect.hpp"
#include "load/library_search.hpp"
#include "load/open_plugin.hpp"
#include "load/search_path.hpp"

namespace attnrt {
namespace {

namespace fs = std::filesystem;

// The files of a folder with an extension, by name; a folder that is absent has none.
std::vector<std::string> list_files(const std::string& folder, std::string_view extension) {
  std::vector<std::string> files;
  std::error_code failed;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    if (it->path().extension() == extension) files.push_back(it->path().string());
  }
  if (failed) log(LogLevel::kWarn, "plugin folder " + folder + ": " + failed.message());
  std::sort(files.begin(), files.end());
  return files;
}

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

struct PluginRegistry::Impl {
  load::TrustRules trust;
  load::LibraryWorld world;
  std::vector<std::string> searched;
  std::vector<ScannedPlugin> plugins;
  std::vector<std::string> manifest_bytes;  // a plugin's section, empty for bare manifests
  std::vector<RefusedPlugin> refused;
  std::optional<Catalog> catalog;
  std::mutex mutex;
  std::vector<const attnrt_plugin*> tables;  // null: not opened

  void refuse(const std::string& path, const std::string& name, load::Refusal refusal) {
    // A manifest's error knows its line and column already.
    if (refusal.error.where.empty()) refusal.error.where = path;
    log(LogLevel::kWarn, "plugin refused: " + to_string(refusal.error));
    refused.push_back({path, name.empty() ? fs::path(path).stem().string() : name, refusal.kind,
                       std::move(refusal.error)});
  }

  // False, and refused, if a plugin of that name came before.
  bool claim_name(const std::string& path, const std::string& name) {
    const auto first = std::find_if(plugins.begin(), plugins.end(), [&](const ScannedPlugin& p) {
      return p.manifest.name == name;
    });
    if (first == plugins.end()) return true;
    refuse(path, name,
           load::refuse(RefusalKind::kShadowed, "a name of its own",
                        "'" + name + "' is already " + first->path,
                        "remove one of the two, or change the order of the search path"));
    return false;
  }

  void add(ScannedPlugin plugin, std::string bytes) {
    plugin.warnings = plugin.manifest.warnings;
    for (const std::string& warning : plugin.warnings) {
      log(LogLevel::kInfo, plugin.path + ": " + warning);
    }
    plugins.push_back(std::move(plugin));
    manifest_bytes.push_back(std::move(bytes));
  }

  void scan_plugin(const std::string& path) {
    auto file = load::inspect_file(path, trust);
    if (!file) return refuse(path, "", std::move(file.error()));
    auto manifest = load::read_manifest(file->image.manifest.text, path);
    if (!manifest) return refuse(path, "", std::move(manifest.error()));
    if (!claim_name(path, manifest->name)) return;
    const load::LibraryUser user{file->image.dynamic,
                                 fs::path(file->real_path).parent_path().string()};
    auto missing = load::missing_libraries(user, manifest->needs_libraries, world);
    add({path, file->real_path, std::move(*manifest), std::move(missing), true, {}},
        std::move(file->image.manifest.bytes));
  }

  void scan_bare_manifest(const std::string& path) {
    auto text = load::read_bare_manifest(path);
    if (!text) return refuse(path, "", std::move(text.error()));
    auto manifest = load::read_manifest(*text, path);
    if (!manifest) return refuse(path, "", std::move(manifest.error()));
    if (!claim_name(path, manifest->name)) return;
    add({path, path, std::move(*manifest), {}, false, {}}, "");
  }

  void build_catalog() {
    std::vector<CatalogEntry> entries;
    for (const ScannedPlugin& plugin : plugins) {
      entries.push_back({plugin.manifest, plugin.missing_libraries, plugin.has_code});
    }
    catalog.emplace(std::move(entries));
    tables.assign(plugins.size(), nullptr);
  }

  load::Checked<const attnrt_plugin*> open(uint32_t index) {
    const ScannedPlugin& plugin = plugins[index];
    if (!plugin.has_code) {
      return load::refuse(RefusalKind::kNoCode, "a plugin with code", "a bare manifest",
                          "use it for planning only, or install the plugin");
    }
    if (!plugin.missing_libraries.empty()) {
      return load::refuse(RefusalKind::kMissingLibrary, "the libraries that it needs",
                          "not found: " + join(plugin.missing_libraries),
                          "install them, or put their folder into LD_LIBRARY_PATH");
    }
    return load::open_plugin({plugin.real_path, manifest_bytes[index], plugin.manifest, trust});
  }
};

PluginRegistry::PluginRegistry(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PluginRegistry::PluginRegistry(PluginRegistry&&) noexcept = default;
PluginRegistry& PluginRegistry::operator=(PluginRegistry&&) noexcept = default;
PluginRegistry::~PluginRegistry() = default;

PluginRegistry PluginRegistry::scan(const SearchOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->trust = load::default_trust();
  if (options.trust_any_owner) {
    impl->trust.rule = load::OwnerRule::kAnybody;
    log(LogLevel::kWarn, "plugins of any owner and mode are trusted, as was asked");
  }
  impl->world = load::system_world();
  auto path = load::search_path(options, load::read_environment());
  for (const std::string& warning : path.warnings) log(LogLevel::kWarn, warning);
  for (const std::string& folder : path.folders) {
    for (const std::string& file : list_files(folder, ".so")) impl->scan_plugin(file);
  }
  for (const std::string& folder : options.manifests) {
    for (const std::string& file : list_files(folder, ".yaml")) impl->scan_bare_manifest(file);
  }
  impl->searched = std::move(path.folders);
  impl->build_catalog();
  return PluginRegistry(std::move(impl));
}

const std::vector<ScannedPlugin>& PluginRegistry::plugins() const {
  return impl_->plugins;
}
const std::vector<RefusedPlugin>& PluginRegistry::refused() const {
  return impl_->refused;
}
const RefusedPlugin* PluginRegistry::find_refused(const std::string& name) const {
  for (const ScannedPlugin& plugin : impl_->plugins) {
    if (plugin.manifest.name == name) return nullptr;
  }
  for (const RefusedPlugin& plugin : impl_->refused) {
    if (plugin.name == name) return &plugin;
  }
  return nullptr;
}
const std::vector<std::string>& PluginRegistry::searched() const {
  return impl_->searched;
}
const Catalog& PluginRegistry::catalog() const {
  return *impl_->catalog;
}

Result<LoadedPlugin> PluginRegistry::load(uint32_t plugin) const {
  if (plugin >= impl_->plugins.size()) {
    return Error{ErrorCode::kInvalid, "PluginRegistry::load",
                 "an index below " + std::to_string(impl_->plugins.size()),
                 "index " + std::to_string(plugin), ""};
  }
  const ScannedPlugin& scanned = impl_->plugins[plugin];
  const std::lock_guard lock(impl_->mutex);
  const attnrt_plugin*& table = impl_->tables[plugin];
  if (table == nullptr) {
    auto opened = impl_->open(plugin);
    if (!opened) {
      Error error = std::move(opened.error().error);
      if (error.where.empty()) error.where = scanned.path;
      return error;
    }
    table = *opened;
  }
  return LoadedPlugin{table, scanned.manifest.name, scanned.path};
}

}  // namespace attnrt
