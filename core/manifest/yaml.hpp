// YAML that may be hostile: bounded before it becomes a tree, and read with a place in every error.
//
// A manifest comes out of a file that nobody has vouched for. So: at most 64 KiB of UTF-8, no deep
// nesting (the parser recurses), no anchors or aliases (a small text could stand for a huge tree),
// no tags, one document, and no key twice.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "attnrt/result.hpp"

namespace attnrt {

inline constexpr size_t kMaxYamlBytes = 65536;
inline constexpr int kMaxYamlDepth = 16;

// Errors (kInvalid) carry origin:line:column.
Result<YAML::Node> load_yaml(std::string_view text, std::string_view origin);

// Reads a tree and keeps the first error; after it every function returns an empty value, so that
// callers go on and ask once, at the end. `what` names the value in errors: "head_dim".
class YamlReader {
 public:
  explicit YamlReader(std::string_view origin) : origin_(origin) {}

  struct Entry {
    std::string key;
    YAML::Node key_node;
    YAML::Node value;
  };

  // In the text's order; keys are texts, none twice.
  std::vector<Entry> map(const YAML::Node& node, std::string_view what);
  std::vector<YAML::Node> list(const YAML::Node& node, std::string_view what);
  std::string text(const YAML::Node& node, std::string_view what);
  int32_t integer(const YAML::Node& node, std::string_view what, int32_t min, int32_t max);

  void fail(const YAML::Node& at, std::string expected, std::string found, std::string remedy = "");
  void warn(const YAML::Node& at, std::string text);

  bool ok() const { return !error_; }
  const std::optional<Error>& error() const { return error_; }
  std::vector<std::string>& warnings() { return warnings_; }

 private:
  std::string place(const YAML::Node& at) const;

  std::string origin_;
  std::optional<Error> error_;
  std::vector<std::string> warnings_;
};

// "a list", "a map", "nothing", or the text in quotes.
std::string describe(const YAML::Node& node);

}  // namespace attnrt
