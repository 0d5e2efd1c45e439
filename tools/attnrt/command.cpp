#include "attnrt/command.hpp"

#include <cerrno>
#include <cstring>
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

Status write_output(const std::string& text, const std::string& file) {
  if (file.empty() || file == "-") {
    std::cout << text << std::flush;
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
