// Which files may become code: regular files that nobody else could have written.
//
// Links are resolved first. The descriptor that was checked is the one that is read. Nothing here
// blocks, whatever the path names: no FIFO, device or folder is ever opened.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "load/byte_source.hpp"
#include "load/refusal.hpp"

namespace attnrt::load {

// Enough to tell whether a path still names the file that was read.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t size = 0;
  int64_t mtime_s = 0;
  int64_t mtime_ns = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};
FileIdentity identity_of(const struct stat& status);

enum class OwnerRule : uint8_t { kTrustedOwners, kAnybody };
struct TrustRules {
  OwnerRule rule = OwnerRule::kTrustedOwners;
  std::vector<uid_t> owners;  // whose files are trusted
};
// The user, root and the owner of libattnrt.
TrustRules default_trust();

// An open file; closes its descriptor.
class OpenFile {
 public:
  OpenFile(int descriptor, std::string real_path)
      : descriptor_(descriptor), real_path_(std::move(real_path)) {}
  OpenFile(OpenFile&& other) noexcept;
  OpenFile& operator=(OpenFile&&) = delete;
  ~OpenFile();

  bool read_status();  // false: errno says why
  const struct stat& status() const { return status_; }
  const std::string& real_path() const { return real_path_; }
  FileIdentity identity() const { return identity_of(status_); }
  FileSource source() const { return {descriptor_, static_cast<uint64_t>(status_.st_size)}; }

 private:
  int descriptor_;
  std::string real_path_;
  struct stat status_ = {};
};

// A regular file, whoever owns it.
Checked<OpenFile> open_regular(const std::string& path);
// A regular file that the rules trust, in folders that they trust: where it is, and where it was
// found if a link leads there.
Checked<OpenFile> open_trusted(const std::string& path, const TrustRules& rules);

// The rule itself; `what` is "file" or "folder". Pure but for the names of groups.
Check check_trust(const struct stat& status, const std::string& path, std::string_view what,
                  const TrustRules& rules);

}  // namespace attnrt::load
