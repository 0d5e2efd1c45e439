#include "config/reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "format/nearest.hpp"

namespace attnrt::config {
namespace {

std::string range(const std::string& what, const std::string& min, const std::string& max) {
  return what + " from " + min + " to " + max;
}

std::string compact(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

template <class T>
bool parse_all(const std::string& text, T& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && stop == end;
}

}  // namespace

void Scope::fail(Position at, std::string expected, std::string found, std::string remedy) {
  fail(at,
       Error{ErrorCode::kInvalid, "", std::move(expected), std::move(found), std::move(remedy)});
}

void Scope::fail(Position at, Error error) {
  if (error_) return;
  error.where = locate(origin_, at);
  error_ = std::move(error);
}

void Scope::fail_elsewhere(Error error) {
  if (!error_) error_ = std::move(error);
}

std::string describe(const Tree& tree) {
  if (tree.kind != Tree::Kind::kScalar) return std::string(name(tree.kind));
  return in_quotes(tree.text);
}

std::optional<std::string> as_text(const Tree& tree, Scope& scope, std::string_view expected) {
  if (tree.kind == Tree::Kind::kScalar && !tree.text.empty()) return tree.text;
  scope.fail(tree.at, std::string(expected), describe(tree));
  return std::nullopt;
}

std::optional<int64_t> as_integer(const Tree& tree, Scope& scope, int64_t min, int64_t max) {
  int64_t value = 0;
  if (tree.kind == Tree::Kind::kScalar && !tree.quoted && parse_all(tree.text, value) &&
      value >= min && value <= max) {
    return value;
  }
  scope.fail(tree.at, range("an integer", std::to_string(min), std::to_string(max)),
             describe(tree));
  return std::nullopt;
}

std::optional<double> as_number(const Tree& tree, Scope& scope, double min, double max) {
  double value = 0;
  if (tree.kind == Tree::Kind::kScalar && !tree.quoted && parse_all(tree.text, value) &&
      value >= min && value <= max) {
    return value;
  }
  scope.fail(tree.at, range("a number", compact(min), compact(max)), describe(tree));
  return std::nullopt;
}

std::optional<bool> as_flag(const Tree& tree, Scope& scope) {
  if (tree.kind == Tree::Kind::kScalar && !tree.quoted) {
    if (tree.text == "true") return true;
    if (tree.text == "false") return false;
  }
  scope.fail(tree.at, "true or false", describe(tree));
  return std::nullopt;
}

Reader::Reader(const Tree& tree, Scope& scope, std::string what)
    : tree_(tree), scope_(scope), what_(std::move(what)) {
  if (tree.kind != Tree::Kind::kMapping && tree.kind != Tree::Kind::kNull) {
    scope.fail(tree.at, "a mapping (key: value) for " + what_, describe(tree));
  }
}

const Tree* Reader::get(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  return tree_.find(key);
}

const Tree* Reader::need(std::string_view key, std::string_view expected) {
  const Tree* value = get(key);
  if (value == nullptr) {
    scope_.fail(tree_.at, std::string(expected), "no '" + std::string(key) + "' in " + what_);
  }
  return value;
}

std::optional<std::string> Reader::text(std::string_view key, std::string_view expected) {
  const Tree* value = get(key);
  return value == nullptr ? std::nullopt : as_text(*value, scope_, expected);
}

std::optional<int32_t> Reader::integer(std::string_view key, int32_t min, int32_t max) {
  const Tree* value = get(key);
  if (value == nullptr) return std::nullopt;
  const std::optional<int64_t> wide = as_integer(*value, scope_, min, max);
  return wide ? std::optional(static_cast<int32_t>(*wide)) : std::nullopt;
}

std::optional<double> Reader::number(std::string_view key, double min, double max) {
  const Tree* value = get(key);
  return value == nullptr ? std::nullopt : as_number(*value, scope_, min, max);
}

std::optional<bool> Reader::flag(std::string_view key) {
  const Tree* value = get(key);
  return value == nullptr ? std::nullopt : as_flag(*value, scope_);
}

std::optional<std::vector<std::string>> Reader::words(std::string_view key,
                                                      std::string_view expected) {
  const Tree* value = get(key);
  if (value == nullptr) return std::nullopt;
  std::vector<std::string> list;
  if (value->kind != Tree::Kind::kSequence) {
    if (auto word = as_text(*value, scope_, expected)) list.push_back(*word);
    return list;
  }
  for (const Tree& item : value->items) {
    if (auto word = as_text(item, scope_, expected)) list.push_back(*word);
  }
  return list;
}

void Reader::allow(std::span<const std::string_view> keys,
                   std::initializer_list<std::string_view> others) {
  std::vector<std::string_view> known(others);
  known.insert(known.end(), keys.begin(), keys.end());
  refuse_all_but(known);
}

void Reader::finish() {
  refuse_all_but(known_);
}

void Reader::refuse_all_but(const std::vector<std::string_view>& known) {
  for (const Tree::Field& field : tree_.fields) {
    if (std::find(known.begin(), known.end(), field.key) != known.end()) continue;
    scope_.fail(field.at, unknown_name("a key of " + what_, field.key, known));
    return;
  }
}

}  // namespace attnrt::config
