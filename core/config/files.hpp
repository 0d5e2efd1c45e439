// Files and folders as configurations name them.
#pragma once

#include <string>

#include "attnrt/result.hpp"

namespace attnrt::config {

// A whole file of at most 16 MiB. `what` names it in errors: "the configuration".
Result<std::string> read_file(const std::string& path, const std::string& what);

// `path` as seen from `folder`; "~/x" is the user's own. Made absolute, not looked at.
std::string resolve_path(const std::string& path, const std::string& folder);

std::string folder_of(const std::string& file);
std::string home_folder();

}  // namespace attnrt::config
