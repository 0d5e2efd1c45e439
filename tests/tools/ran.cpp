#include "tests/tools/ran.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace attnrt::test {
namespace {

void redirect(const std::string& path, int to, int flags) {
  const int descriptor = open(path.c_str(), flags, 0600);
  if (descriptor < 0 || dup2(descriptor, to) < 0) _exit(127);
  close(descriptor);
}

}  // namespace

Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "attnrt-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Folder::file(const std::string& name, const std::string& text) const {
  const std::string path = path_ + "/" + name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Ran run_program(const std::string& program, const std::vector<std::string>& args) {
  const Folder folder;
  const std::string out = folder.path() + "/out", err = folder.path() + "/err";
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    redirect("/dev/null", STDIN_FILENO, O_RDONLY);
    redirect(out, STDOUT_FILENO, O_WRONLY | O_CREAT);
    redirect(err, STDERR_FILENO, O_WRONLY | O_CREAT);
    execv(program.c_str(), argv.data());
    _exit(127);
  }
  int status = 0;
  Ran ran;
  if (child < 0 || waitpid(child, &status, 0) != child) return ran;
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ran.out = read_text(out);
  ran.err = read_text(err);
  return ran;
}

Ran attnrt(const std::vector<std::string>& args) {
  return run_program(std::string(ATTNRT_BINARY_DIR) + "/bin/attnrt", args);
}

}  // namespace attnrt::test
