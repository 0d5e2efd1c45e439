// Error and Result<T>: how every function of attnrt that can fail says so.
//
// Nothing in the library throws across its public face; exceptions of libraries are turned into an
// Error where they arise. An Error always says where, what was expected, what was found and what to
// do, as separate fields; to_string is their one formatter.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace attnrt {

// Also the exit code of the command `attnrt`.
enum class ErrorCode : int32_t {
  kInternal = 1,       // anything else: I/O, out of memory, a defect
  kInvalid = 2,        // usage or configuration: the caller can mend it
  kNoBackend = 3,      // no backend can serve
  kPluginRefused = 4,  // a plugin that was named or chosen refused
  kVerification = 5,   // wrong numbers
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string where = {};     // "run.yaml:3:7", a plugin's path, "layer 4, decode"; may be empty
  std::string expected = {};  // may be empty
  std::string found = {};     // what is wrong; never empty
  std::string remedy = {};    // may be empty
};

// "run.yaml:3:7: expected an integer, found 'many'; write a number of blocks, e.g. 4096"
// Control characters and bytes that are no UTF-8, which names and paths may hold, are escaped.
std::string to_string(const Error& error);

// A text from outside as it may go to a terminal or a page: control characters and bytes that are
// no UTF-8 become \x1b, \n and the like. printable_lines lets line feeds stay.
std::string printable(std::string_view text);
std::string printable_lines(std::string_view text);

// A value or an error. E is Error everywhere but where a module's own reason is still an
// enumerator (core/load).
template <class T, class E = Error>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Precondition: ok().
  T& value() & {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Precondition: !ok().
  E& error() & {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  const E& error() const& {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  E&& error() && {
    assert(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<T, E> state_;
};

// A Result without a value.
struct Done {};
using Status = Result<Done>;

}  // namespace attnrt
