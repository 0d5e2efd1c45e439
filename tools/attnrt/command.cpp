#include "attnrt/command.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace attnrt::command {

SearchOptions Common::search() const {
  SearchOptions options;
  options.path = plugins;
  options.manifests = manifests;
  options.trust_any_owner = trust_any_owner;
  return options;
}

int report(const Error& error) {
  std::cerr << "attnrt: " << to_string(error) << '\n';
  return static_cast<int>(error.code);
}

Status check_output(const std::string& file, const std::string& where) {
  if (file.empty() || file == "-") return Done{};
  const auto refuse = [&](const std::string& why) {
    return Error{ErrorCode::kInvalid, where, "a file that can be written", "'" + file + "': " + why,
                 "name another, or make its folder"};
  };
  struct stat facts {};
  if (::stat(file.c_str(), &facts) == 0) {
    if (S_ISDIR(facts.st_mode)) return refuse("a folder");
    if (::access(file.c_str(), W_OK) != 0) return refuse(std::strerror(errno));
    return Done{};
  }
  if (errno != ENOENT) return refuse(std::strerror(errno));
  const std::filesystem::path parent = std::filesystem::path(file).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    return refuse("folder '" + folder + "': " + std::strerror(errno));
  }
  return Done{};
}

Status write_output(const std::string& text, const std::string& file) {
  if (file.empty() || file == "-") {
    std::cout << printable_lines(text) << std::flush;
    if (std::cout) return Done{};
    return Error{ErrorCode::kInternal, "stdout", "", "can't be written", ""};
  }
  errno = 0;
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << text << std::flush;
  if (out) return Done{};
  return Error{ErrorCode::kInternal, file, "a file that can be written", std::strerror(errno),
               "name another, or make its folder"};
}

int finish(const std::string& text, int code) {
  const Status written = write_output(text);
  return written.ok() ? code : report(written.error());
}

}  // namespace attnrt::command
