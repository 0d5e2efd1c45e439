// Files and folders as configurations name them.
#pragma once

#include <cstdint>
#include <string>

#include "attnrt/result.hpp"

namespace attnrt::config {

inline constexpr int64_t kMaxConfigBytes = int64_t{1} << 20;
inline constexpr int64_t kMaxGeometryBytes = int64_t{16} << 20;

// A whole regular file; anything else (a folder, a FIFO, a device) is refused without waiting for
// it. `what` names it in errors: "a configuration".
Result<std::string> read_file(const std::string& path, const std::string& what, int64_t max_bytes);

// `path` as seen from `folder`; "~/x" is the user's own. Made absolute, not looked at. Error: a
// "~/" where the environment names no home.
Result<std::string> resolve_path(const std::string& path, const std::string& folder);

std::string folder_of(const std::string& file);

}  // namespace attnrt::config
