// What a stream's handle points at in the shim, where it is not null: whether launches on it are
// captured, as a graph's are, instead of run. Parameters are kept as they were, by value.
#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace attnrt::simt {

struct Stream {
  bool capturing = false;
  std::vector<std::function<const char*()>> launches;

  // Runs what was captured, in its order. Returns null, or the first launch's mistake.
  const char* replay() const {
    for (const auto& launch : launches) {
      if (const char* error = launch()) return error;
    }
    return nullptr;
  }
};

}  // namespace attnrt::simt
