// Runs the command as a user would, and keeps what came out.
#pragma once

#include <string>
#include <vector>

namespace attnrt::test {

struct Ran {
  int code = -1;  // exit status; 128 + n for signal n
  std::string out;
  std::string err;
};

// build/bin/attnrt with these arguments; stdin is empty, stdout and stderr are files.
Ran attnrt(const std::vector<std::string>& args);
Ran run_program(const std::string& program, const std::vector<std::string>& args);

// A folder of the test's own, empty, removed at the end.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  // Writes a file there; returns its path.
  std::string file(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

std::string read_text(const std::string& path);

inline const std::string kManifests = std::string(ATTNRT_SOURCE_DIR) + "/tests/data/manifests";

}  // namespace attnrt::test
