// Errors of a plugin: throw PluginError (or anything) inside, a status with text comes out.
//
// Nothing that is thrown crosses the C boundary: every function of the table runs inside guarded(),
// which turns PluginError into its status, std::bad_alloc into ATTNRT_OUT_OF_MEMORY and everything
// else into ATTNRT_INTERNAL. Texts should say what was expected, what was found and the remedy.
#ifndef ATTNRT_PLUGIN_ERROR_HPP_
#define ATTNRT_PLUGIN_ERROR_HPP_

#include <attnrt/plugin.h>

#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace attnrt {

class PluginError : public std::exception {
 public:
  PluginError(attnrt_status status, std::string text) : status_(status), text_(std::move(text)) {}

  [[nodiscard]] attnrt_status status() const noexcept { return status_; }
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

 private:
  attnrt_status status_;
  std::string text_;
};

namespace plugin {

inline std::string piece(std::string_view text) {
  return std::string(text);
}
inline std::string piece(const char* text) {
  return text;
}
template <class Number>
requires(!std::is_convertible_v<Number, std::string_view>) std::string piece(Number number) {
  return std::to_string(number);
}

// message("q has rank ", 2, ", expected ", 3): numbers and texts one after the other.
template <class... Pieces>
std::string message(const Pieces&... pieces) {
  std::string all;
  (all.append(piece(pieces)), ...);
  return all;
}

template <class... Pieces>
[[noreturn]] void fail(attnrt_status status, const Pieces&... pieces) {
  throw PluginError(status, message(pieces...));
}

template <class... Pieces>
void require(bool holds, const Pieces&... pieces) {
  if (!holds) fail(ATTNRT_INVALID_ARGUMENT, pieces...);
}

// Fills the caller's buffer: zero-terminated, cut where it is too small, never within a character.
inline void write_text(char* to, uint64_t capacity, std::string_view text) noexcept {
  if (to == nullptr || capacity == 0) return;
  size_t bytes = text.size();
  if (bytes >= capacity) {
    bytes = static_cast<size_t>(capacity - 1);
    while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  }
  std::memcpy(to, text.data(), bytes);
  to[bytes] = '\0';
}

inline attnrt_status report(attnrt_error* error, attnrt_status status,
                            std::string_view text) noexcept {
  if (error != nullptr) write_text(error->text, error->capacity, text);
  return status;
}

// Runs body() and turns whatever it throws into a status.
template <class Body>
attnrt_status guarded(attnrt_error* error, Body&& body) noexcept {
  try {
    body();
    return ATTNRT_OK;
  } catch (const PluginError& e) {
    // A thrown ATTNRT_OK would be a failure that looks like success.
    return report(error, e.status() == ATTNRT_OK ? ATTNRT_INTERNAL : e.status(), e.what());
  } catch (const std::bad_alloc&) {
    return report(error, ATTNRT_OUT_OF_MEMORY, "out of host memory");
  } catch (const std::exception& e) {
    return report(error, ATTNRT_INTERNAL, e.what());
  } catch (...) {
    return report(error, ATTNRT_INTERNAL, "something that is not a std::exception was thrown");
  }
}

}  // namespace plugin
}  // namespace attnrt

#endif  // ATTNRT_PLUGIN_ERROR_HPP_
