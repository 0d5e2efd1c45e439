// Lists of sizes: [16, 32], {multiple_of: 16, min: 16, max: 256}, {max: 8}, [[192, 128], 64].
#include <optional>

#include "format/nearest.hpp"
#include "manifest/kernel.hpp"

namespace attnrt {
namespace {

std::optional<IntRange> read_range(YamlReader& reader, const YAML::Node& node,
                                   std::string_view what, std::vector<std::string>& unknown_keys) {
  const std::string name(what);
  std::optional<int32_t> multiple, min, max;
  for (const auto& [key, key_node, value] : reader.map(node, what)) {
    if (key == "multiple_of") {
      multiple = reader.integer(value, name + ".multiple_of", 1, kMaxSize);
    } else if (key == "min") {
      min = reader.integer(value, name + ".min", 1, kMaxSize);
    } else if (key == "max") {
      max = reader.integer(value, name + ".max", 1, kMaxSize);
    } else {
      unknown_keys.push_back(name + "." + key);
    }
  }
  if (!reader.ok()) return std::nullopt;
  if (!max) {
    reader.fail(node, "max for " + name + ", since a list is finite", "none",
                "write {multiple_of: 16, min: 16, max: 256}");
    return std::nullopt;
  }
  IntRange range{.multiple_of = multiple.value_or(1), .min = 1, .max = *max};
  range.min = min.value_or(range.multiple_of);
  // The largest multiple up to max must not lie below min, or the range names nothing.
  if (range.max / range.multiple_of * range.multiple_of < range.min) {
    reader.fail(node, "a range that holds a value for " + name,
                "no multiple of " + std::to_string(range.multiple_of) + " from " +
                    std::to_string(range.min) + " to " + std::to_string(range.max));
    return std::nullopt;
  }
  return range;
}

HeadDim read_pair(YamlReader& reader, const YAML::Node& node) {
  const std::vector<YAML::Node> sides = reader.list(node, "head_dim");
  if (reader.ok() && sides.size() != 2) {
    reader.fail(node, "a pair [qk, v] for head_dim", "a list of " + std::to_string(sides.size()));
  }
  if (!reader.ok()) return {};
  return {reader.integer(sides[0], "head_dim", 1, kMaxSize),
          reader.integer(sides[1], "head_dim", 1, kMaxSize)};
}

// A single range stands for a list of one.
std::vector<YAML::Node> elements(YamlReader& reader, const YAML::Node& node,
                                 std::string_view what) {
  if (node.IsMap()) return {node};
  std::vector<YAML::Node> values = reader.list(node, what);
  if (reader.ok() && (values.empty() || values.size() > kMaxListValues)) {
    reader.fail(node, "1 to " + std::to_string(kMaxListValues) + " values for " + std::string(what),
                std::to_string(values.size()));
  }
  return values;
}

}  // namespace

IntSet read_int_set(YamlReader& reader, const YAML::Node& node, std::string_view what,
                    std::vector<std::string>& unknown_keys) {
  IntSet set;
  for (const YAML::Node& value : elements(reader, node, what)) {
    if (value.IsMap()) {
      if (auto range = read_range(reader, value, what, unknown_keys)) set.ranges.push_back(*range);
    } else {
      set.values.push_back(reader.integer(value, what, 1, kMaxSize));
    }
  }
  return set;
}

HeadDimSet read_head_dims(YamlReader& reader, const YAML::Node& node,
                          std::vector<std::string>& unknown_keys) {
  HeadDimSet set;
  for (const YAML::Node& value : elements(reader, node, "head_dim")) {
    if (value.IsMap()) {
      auto range = read_range(reader, value, "head_dim", unknown_keys);
      if (range) set.ranges.push_back(*range);
    } else if (value.IsSequence()) {
      set.pairs.push_back(read_pair(reader, value));
    } else {
      const int32_t n = reader.integer(value, "head_dim", 1, kMaxSize);
      set.pairs.push_back({n, n});
    }
  }
  return set;
}

}  // namespace attnrt
