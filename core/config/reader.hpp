// Typed reading of a mapping. The first problem is kept in the Scope and reading goes on with
// defaults, so that parsers are plain sequences of reads; whoever owns the Scope asks it at the
// end.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attnrt/result.hpp"
#include "config/tree.hpp"

namespace attnrt::config {

class Scope {
 public:
  explicit Scope(std::string origin) : origin_(std::move(origin)) {}
  void fail(Position at, std::string expected, std::string found, std::string remedy = "");
  // An error of a parser that knows no positions: its where becomes this one.
  void fail(Position at, Error error);
  // An error of another file that this one names: it keeps its own place.
  void fail_elsewhere(Error error);
  bool failed() const { return error_.has_value(); }
  const std::optional<Error>& error() const { return error_; }
  const std::string& origin() const { return origin_; }

 private:
  std::string origin_;
  std::optional<Error> error_;
};

// "'fp8'" or "a list", for messages
std::string describe(const Tree& tree);

// Conversions of one value; a problem is put into the scope.
std::optional<std::string> as_text(const Tree& tree, Scope& scope, std::string_view expected);
std::optional<int64_t> as_integer(const Tree& tree, Scope& scope, int64_t min, int64_t max);
std::optional<double> as_number(const Tree& tree, Scope& scope, double min, double max);
std::optional<bool> as_flag(const Tree& tree, Scope& scope);

class Reader {
 public:
  // `what` names the mapping in messages: "kv_cache". Anything but a mapping (or nothing) is a
  // problem.
  Reader(const Tree& tree, Scope& scope, std::string what);

  // Each marks the key as known. Absent and null are the same: empty.
  const Tree* get(std::string_view key);
  const Tree* need(std::string_view key, std::string_view expected);
  std::optional<std::string> text(std::string_view key, std::string_view expected);
  std::optional<int32_t> integer(std::string_view key, int32_t min, int32_t max);
  std::optional<double> number(std::string_view key, double min, double max);
  std::optional<bool> flag(std::string_view key);
  // A list of words, or one word alone.
  std::optional<std::vector<std::string>> words(std::string_view key, std::string_view expected);

  // A key that is neither of these is a problem at once: before keys that are needed are missed,
  // which it may be meant to be. The message names the nearest.
  void allow(std::span<const std::string_view> keys,
             std::initializer_list<std::string_view> others);
  // Every key that was not asked for is a problem; the message names the nearest that was.
  void finish();

  Position at() const { return tree_.at; }
  Scope& scope() { return scope_; }

 private:
  void refuse_all_but(const std::vector<std::string_view>& known);

  const Tree& tree_;
  Scope& scope_;
  std::string what_;
  std::vector<std::string_view> known_;
};

}  // namespace attnrt::config
