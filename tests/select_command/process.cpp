#include "tests/select_command/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "attnrt/manifest.hpp"

extern char** environ;

namespace attnrt::select_command {
namespace {

const std::string kManifests = ATTNRT_SOURCE_DIR "/tests/data/manifests";

// A folder of this process's own, for what the command prints. Removed at exit.
const std::filesystem::path& scratch() {
  struct Folder {
    std::filesystem::path path;
    Folder() {
      std::string name = (std::filesystem::temp_directory_path() / "attnrt-select-XXXXXX").string();
      if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
      path = name;
      std::filesystem::create_directory(path / "no_plugins");
    }
    ~Folder() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
  };
  static const Folder folder;
  return folder.path;
}

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

Answer run(const std::vector<std::string>& arguments) {
  unsetenv("ATTNRT_PLUGIN_PATH");
  std::vector<std::string> words{ATTNRT_COMMAND};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  const std::string out = (scratch() / "out").string(), err = (scratch() / "err").string();
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  constexpr int kWrite = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, out.c_str(), kWrite, 0600);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, err.c_str(), kWrite, 0600);
  pid_t child = 0;
  const int started = posix_spawn(&child, argv[0], &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (started != 0) {
    ADD_FAILURE() << "can't start " << words[0];
    return {};
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) return {};
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read(out), read(err)};
}

Answer select(const std::string& words) {
  std::vector<std::string> arguments{"select", "--plugins", (scratch() / "no_plugins").string(),
                                     "--manifests", kManifests};
  std::istringstream in(words);
  for (std::string word; in >> word;) {
    const size_t at = word.find('=');
    arguments.push_back("--" + word.substr(0, at));
    if (at != std::string::npos) arguments.push_back(word.substr(at + 1));
  }
  return run(arguments);
}

JsonAnswer select_json(const std::string& words) {
  const Answer answer = select(words + " json");
  nlohmann::json json = nlohmann::json::parse(answer.out, nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << "not JSON: " << answer.out << answer.err;
  return {answer.code, std::move(json)};
}

size_t kernels_of_today() {
  size_t kernels = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kManifests)) {
    if (entry.path().extension() != ".yaml") continue;
    const auto manifest = parse_manifest(read(entry.path()), entry.path().string());
    if (manifest) kernels += manifest->kernels.size();
  }
  return kernels;
}

}  // namespace attnrt::select_command
