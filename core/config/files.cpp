#include "config/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "attnrt/config.hpp"

namespace attnrt::config {

namespace fs = std::filesystem;

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

std::string size_text(int64_t bytes) {
  return std::to_string(bytes >> 20) + " MiB";
}

// The folder of HOME; empty where it is not set, or relative and so no place of its own.
std::string home_folder() {
  const char* home = std::getenv("HOME");
  return home != nullptr && home[0] == '/' ? home : "";
}

}  // namespace

Result<std::string> read_file(const std::string& path, const std::string& what, int64_t max_bytes) {
  const auto refuse = [&](std::string found, std::string remedy) {
    return Error{ErrorCode::kInvalid, path, what, std::move(found), std::move(remedy)};
  };
  // Non-blocking: opening a FIFO would otherwise wait for somebody who writes.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat facts {};
  if (file.get() < 0 || ::fstat(file.get(), &facts) != 0) {
    return refuse(std::strerror(errno),
                  "check the path; relative ones in a file are resolved against its folder");
  }
  if (!S_ISREG(facts.st_mode)) {
    return refuse(kind_of(facts.st_mode), S_ISDIR(facts.st_mode)
                                              ? "name the file in it"
                                              : "write it into a file and name that");
  }
  std::string text;
  std::array<char, 65536> part;
  for (;;) {
    const ssize_t got = ::read(file.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return refuse(std::strerror(errno), "check the file and its disk");
    if (got == 0) return text;
    text.append(part.data(), static_cast<size_t>(got));
    if (static_cast<int64_t>(text.size()) > max_bytes) {
      return Error{ErrorCode::kInvalid, path, what + " of at most " + size_text(max_bytes),
                   "a larger file", "is it the file that was meant?"};
    }
  }
}

Result<std::string> resolve_path(const std::string& path, const std::string& folder) {
  fs::path p(path);
  if (path.rfind("~/", 0) == 0) {
    const std::string home = home_folder();
    if (home.empty()) {
      return Error{ErrorCode::kInvalid, path, "a home folder for ~/ (HOME)",
                   "no absolute path in HOME", "set HOME, or write the whole path"};
    }
    p = fs::path(home) / path.substr(2);
  }
  if (p.is_relative()) p = fs::path(folder) / p;
  std::error_code error;
  const fs::path absolute = fs::absolute(p, error);
  return (error ? p : absolute).lexically_normal().string();
}

std::string folder_of(const std::string& file) {
  const fs::path parent = fs::path(file).parent_path();
  return parent.empty() ? "." : parent.string();
}

}  // namespace attnrt::config

namespace attnrt {

std::string user_cache_folder() {
  const char* xdg = std::getenv("XDG_CACHE_HOME");
  // The specification says that relative values are ignored.
  if (xdg != nullptr && xdg[0] == '/') return std::string(xdg) + "/attnrt";
  const std::string home = config::home_folder();
  return home.empty() ? "" : home + "/.cache/attnrt";
}

}  // namespace attnrt
