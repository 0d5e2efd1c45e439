#include "load/file_trust.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "load/library_path.hpp"

namespace attnrt::load {
namespace {

std::string kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISCHR(mode)) return "a character device";
  if (S_ISBLK(mode)) return "a block device";
  if (S_ISSOCK(mode)) return "a socket";
  return "no regular file";
}

Refusal unreadable(int error) {
  return refuse(RefusalKind::kUnreadable, "a readable file", std::strerror(error),
                "check the path and its permissions");
}

Refusal not_regular(mode_t mode) {
  return refuse(RefusalKind::kNotRegularFile, "a regular file", "it is " + kind_of(mode),
                "remove it from the folder");
}

Checked<std::string> resolve(const std::string& path) {
  struct stat link;
  if (::lstat(path.c_str(), &link) != 0) return unreadable(errno);
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                         &std::free);
  if (real) return std::string(real.get());
  const int error = errno;
  if (S_ISLNK(link.st_mode) && (error == ENOENT || error == ENOTDIR || error == ELOOP)) {
    std::array<char, PATH_MAX> target;
    const ssize_t bytes = ::readlink(path.c_str(), target.data(), target.size());
    const std::string to(target.data(), bytes > 0 ? static_cast<size_t>(bytes) : 0);
    return refuse(
        RefusalKind::kDanglingLink, "a link to a file",
        error == ELOOP ? "the link leads in a circle" : "the link leads to nothing: " + to,
        "mend or remove the link");
  }
  return unreadable(error);
}

std::optional<std::string> user_name(uid_t user) {
  passwd entry;
  passwd* found = nullptr;
  std::array<char, 4096> buffer;
  if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return std::nullopt;
  }
  return std::string(entry.pw_name);
}

// Where every user has a group of their own, files are group-writable by default and still nobody
// else can write them.
bool is_private_group(gid_t gid, uid_t owner) {
  const auto name = user_name(owner);
  group entry;
  group* found = nullptr;
  std::array<char, 16384> buffer;
  if (!name || ::getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr || *name != entry.gr_name) {
    return false;
  }
  for (char** member = entry.gr_mem; *member != nullptr; ++member) {
    if (*name != *member) return false;
  }
  return true;
}

std::string describe_user(uid_t user) {
  const auto name = user_name(user);
  return name ? *name : "user " + std::to_string(user);
}

Check check_folder(const std::string& folder, const TrustRules& rules) {
  struct stat status;
  if (::stat(folder.c_str(), &status) != 0) return unreadable(errno);
  return check_trust(status, folder, "folder", rules);
}

std::string folder_of(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

}  // namespace

FileIdentity identity_of(const struct stat& status) {
  return {status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec,
          status.st_mtim.tv_nsec};
}

TrustRules default_trust() {
  TrustRules rules{OwnerRule::kTrustedOwners, {::geteuid(), 0}};
  struct stat status;
  if (::stat(library_file().c_str(), &status) == 0) rules.owners.push_back(status.st_uid);
  return rules;
}

OpenFile::OpenFile(OpenFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      real_path_(std::move(other.real_path_)),
      status_(other.status_) {}

bool OpenFile::read_status() {
  return ::fstat(descriptor_, &status_) == 0;
}

OpenFile::~OpenFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Check check_trust(const struct stat& status, const std::string& path, std::string_view what,
                  const TrustRules& rules) {
  if (rules.rule == OwnerRule::kAnybody) return Done{};
  const std::string subject = "its " + std::string(what) + " " + path;
  if (std::find(rules.owners.begin(), rules.owners.end(), status.st_uid) == rules.owners.end()) {
    return refuse(RefusalKind::kUntrusted,
                  "a " + std::string(what) + " of the user, root or attnrt's owner",
                  subject + " belongs to " + describe_user(status.st_uid),
                  "change the owner, or trust any owner explicitly");
  }
  if ((status.st_mode & S_IWOTH) != 0) {
    return refuse(RefusalKind::kUntrusted,
                  "a " + std::string(what) + " that only its owner can write",
                  subject + " is writable by everybody", "chmod o-w " + path);
  }
  if ((status.st_mode & S_IWGRP) != 0 && !is_private_group(status.st_gid, status.st_uid)) {
    return refuse(RefusalKind::kUntrusted,
                  "a " + std::string(what) + " that only its owner can write",
                  subject + " is writable by its group", "chmod g-w " + path);
  }
  return Done{};
}

Checked<OpenFile> open_regular(const std::string& path) {
  auto real = resolve(path);
  if (!real) return real.error();
  struct stat named;
  if (::stat(real->c_str(), &named) != 0) return unreadable(errno);
  // Before opening: to open a device can do something already.
  if (!S_ISREG(named.st_mode)) return not_regular(named.st_mode);
  const int descriptor =
      ::open(real->c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
  if (descriptor < 0) return unreadable(errno);
  OpenFile file(descriptor, std::move(*real));
  if (!file.read_status()) return unreadable(errno);
  if (!S_ISREG(file.status().st_mode)) return not_regular(file.status().st_mode);
  return file;
}

Checked<OpenFile> open_trusted(const std::string& path, const TrustRules& rules) {
  auto file = open_regular(path);
  if (!file) return file;
  if (auto checked = check_trust(file->status(), file->real_path(), "file", rules); !checked) {
    return checked.error();
  }
  const std::string home = folder_of(file->real_path());
  if (auto checked = check_folder(home, rules); !checked) return checked.error();
  // Whoever can write the folder of a link chooses which file it names.
  const std::string found_in = folder_of(path);
  if (found_in != home) {
    if (auto checked = check_folder(found_in, rules); !checked) return checked.error();
  }
  return file;
}

}  // namespace attnrt::load
