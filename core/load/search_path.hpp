// Which folders are searched for plugins, in order. Never the current one, unless it is asked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attnrt/load.hpp"

namespace attnrt::load {

// What the process says; read once, so that the rule below is a function on values.
struct SearchEnvironment {
  std::optional<std::string> plugin_path;  // ATTNRT_PLUGIN_PATH; empty for privileged processes
  std::string default_folder;              // beside libattnrt; empty: unknown
};
SearchEnvironment read_environment();

struct SearchPath {
  std::vector<std::string> folders;   // absolute, each once
  std::vector<std::string> warnings;  // entries that were left out, and why
};
// `options.path` if it is not empty, else the environment's folders and then the default one.
SearchPath search_path(const SearchOptions& options, const SearchEnvironment& environment);

// The folder of the plugins that belong to a libattnrt in `library_folder`: <build>/plugins in a
// build tree, else attnrt/plugins below it.
std::string default_plugin_folder(const std::string& library_folder);

}  // namespace attnrt::load
