// What the tests of configurations share: a context that knows nothing of this machine.
#pragma once

#include <string>
#include <string_view>

#include "attnrt/config.hpp"

namespace attnrt::test {

inline ConfigContext bare_context() {
  ConfigContext context;
  context.host.cpu_features = {"avx2", "fma"};
  context.cache_folder = "/cache/attnrt";
  return context;
}

// The text stands for /etc/runs/run.yaml.
inline Result<RunFile> parse(std::string_view yaml) {
  return parse_config(yaml, "/etc/runs/run.yaml", bare_context());
}

// A run that is right, with one more line.
inline std::string with(const std::string& line) {
  return "model: {geometry: smollm2-135m}\n" + line + "\n";
}

}  // namespace attnrt::test
