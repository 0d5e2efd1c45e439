// Runs the command `attnrt` as users do, and reads what it answers.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace attnrt::select_command {

struct Answer {
  int code = -1;  // the exit code; -1: it was killed
  std::string out;
  std::string err;
};
// Arguments as the shell gives them, one string each. ATTNRT_PLUGIN_PATH is not set.
Answer run(const std::vector<std::string>& arguments);

// attnrt select over the bare manifests of tests/data/manifests and no plugin at all.
// "device=cuda:sm_90 kv=fp8" stands for --device cuda:sm_90 --kv fp8; a lone word for a flag.
Answer select(const std::string& words);
// The same with --json; fails the test if stdout is not one JSON document.
struct JsonAnswer {
  int code = -1;
  nlohmann::json json;
};
JsonAnswer select_json(const std::string& words);

// How many kernels those manifests have.
size_t kernels_of_today();

}  // namespace attnrt::select_command
