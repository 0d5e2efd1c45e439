#include "load/search_path.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "load/library_path.hpp"

namespace attnrt::load {
namespace {

namespace fs = std::filesystem;

std::string absolute(const std::string& folder) {
  std::error_code failed;
  const fs::path real = fs::weakly_canonical(folder, failed);
  if (!failed && real.is_absolute()) return real.string();
  const fs::path full = fs::absolute(folder, failed);
  return failed ? folder : full.lexically_normal().string();
}

void add_once(std::vector<std::string>& folders, std::string folder) {
  if (std::find(folders.begin(), folders.end(), folder) == folders.end()) {
    folders.push_back(std::move(folder));
  }
}

// Unlike an option, the environment outlives a change of folder: its entries are absolute.
void add_environment(SearchPath& path, std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find(':'), text.size());
    const std::string folder(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (folder.empty()) continue;
    if (!fs::path(folder).is_absolute()) {
      path.warnings.push_back("ATTNRT_PLUGIN_PATH: expected absolute folders, found '" + folder +
                              "'; it is left out");
      continue;
    }
    add_once(path.folders, absolute(folder));
  }
}

}  // namespace

std::string default_plugin_folder(const std::string& library_folder) {
  std::error_code failed;
  const fs::path above = fs::path(library_folder).parent_path();
  if (fs::exists(above / "CMakeCache.txt", failed)) return (above / "plugins").string();
  return (fs::path(library_folder) / "attnrt" / "plugins").string();
}

SearchEnvironment read_environment() {
  SearchEnvironment environment;
  // secure_getenv: a privileged process takes no code from its caller's environment.
  if (const char* path = ::secure_getenv("ATTNRT_PLUGIN_PATH")) environment.plugin_path = path;
  const std::string& library = library_file();
  if (!library.empty()) {
    environment.default_folder = default_plugin_folder(fs::path(library).parent_path().string());
  }
  return environment;
}

SearchPath search_path(const SearchOptions& options, const SearchEnvironment& environment) {
  SearchPath path;
  for (const std::string& folder : options.path) {
    if (folder.empty()) {
      path.warnings.push_back("plugin path: an empty folder name is left out");
      continue;
    }
    add_once(path.folders, absolute(folder));
  }
  if (!options.path.empty()) return path;
  if (environment.plugin_path) add_environment(path, *environment.plugin_path);
  if (!environment.default_folder.empty())
    add_once(path.folders, absolute(environment.default_folder));
  return path;
}

}  // namespace attnrt::load
