#include "config/files.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "attnrt/config.hpp"

namespace attnrt::config {

namespace fs = std::filesystem;

namespace {
constexpr size_t kMaxBytes = size_t{16} << 20;
}

Result<std::string> read_file(const std::string& path, const std::string& what) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    return Error{ErrorCode::kInvalid, path, what, "a folder", "name the file in it"};
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return Error{ErrorCode::kInvalid, path, what, std::strerror(errno),
                 "check the path; relative ones in a file are resolved against its folder"};
  }
  std::string text;
  std::array<char, 65536> part;
  while (text.size() <= kMaxBytes && (in.read(part.data(), part.size()) || in.gcount() > 0)) {
    text.append(part.data(), size_t(in.gcount()));
  }
  if (text.size() > kMaxBytes) {
    return Error{ErrorCode::kInvalid, path, what + " of at most 16 MiB", "a larger file", ""};
  }
  return text;
}

std::string resolve_path(const std::string& path, const std::string& folder) {
  fs::path p(path);
  if (path.rfind("~/", 0) == 0) p = fs::path(home_folder()) / path.substr(2);
  if (p.is_relative()) p = fs::path(folder) / p;
  std::error_code error;
  const fs::path absolute = fs::absolute(p, error);
  return (error ? p : absolute).lexically_normal().string();
}

std::string folder_of(const std::string& file) {
  const fs::path parent = fs::path(file).parent_path();
  return parent.empty() ? "." : parent.string();
}

std::string home_folder() {
  const char* home = std::getenv("HOME");
  return home == nullptr ? "." : home;
}

}  // namespace attnrt::config

namespace attnrt {

std::string user_cache_folder() {
  const char* xdg = std::getenv("XDG_CACHE_HOME");
  // The specification says that relative values are ignored.
  const std::string base =
      xdg != nullptr && xdg[0] == '/' ? std::string(xdg) : config::home_folder() + "/.cache";
  return base + "/attnrt";
}

}  // namespace attnrt
