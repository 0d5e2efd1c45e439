// A parsed YAML or JSON text as plain values, with the position of each. It hides the YAML library,
// whose nodes share state and forget duplicates, from everything else in this folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "attnrt/result.hpp"

namespace attnrt::config {

struct Position {
  int32_t line = 0;  // both count from 1; 0: nowhere
  int32_t column = 0;
};

struct Tree {
  enum class Kind : uint8_t { kNull, kScalar, kSequence, kMapping };
  struct Field;

  Kind kind = Kind::kNull;
  Position at;
  std::string text;           // scalars
  bool quoted = false;        // "4" is a text, 4 a number
  std::vector<Tree> items;    // sequences
  std::vector<Field> fields;  // mappings, as written, without duplicates

  const Tree* find(std::string_view key) const;  // null: absent or null
};

struct Tree::Field {
  std::string key;
  Position at;
  Tree value;
};

std::string_view name(Tree::Kind kind);  // "a list", for messages

// "run.yaml:3:7"
std::string locate(std::string_view origin, Position at);

// One document, or none (a null tree). Refuses duplicate keys, keys that are not plain text, and
// texts that would unfold to an unreasonable size.
Result<Tree> parse_tree(std::string_view text, std::string_view origin);

// `over` laid on `base`: mappings are merged key by key, at every depth; all else replaces. A null
// in `over` takes the key away.
Tree merge(const Tree& base, const Tree& over);

}  // namespace attnrt::config
