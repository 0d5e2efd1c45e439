// Calls into a plugin: a status, a text or a (forbidden) exception becomes an Error.
//
// Used for open, prepare and everything else that may fail; costs a stack buffer and nothing more
// when the call succeeds.
#pragma once

#include <array>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "attnrt/plugin.h"
#include "attnrt/result.hpp"

namespace attnrt::load {

std::string_view status_name(attnrt_status status);

// where: the plugin and what was asked of it; call: the function's name. Code kPluginRefused.
Error plugin_error(std::string_view where, std::string_view call, attnrt_status status,
                   std::string_view text);
// An option of the operator's that `open` refused, in the plugin's own words; an empty key: one of
// several. Code kInvalid. where: its place in the configuration.
Error option_error(std::string_view where, std::string_view plugin, std::string_view key,
                   std::string_view text);
// The contract forbids it, and still no exception of a plugin ends the host.
Error plugin_threw(std::string_view where, std::string_view call, std::string_view what);

// function(attnrt_error*) -> attnrt_status.
template <class Function>
Status call_plugin(std::string_view where, std::string_view call, Function&& function) {
  std::array<char, 1024> text;
  text.front() = '\0';
  attnrt_error error{text.data(), text.size()};
  try {
    const attnrt_status status = std::forward<Function>(function)(&error);
    if (status == ATTNRT_OK) [[likely]]
      return Done{};
    text.back() = '\0';  // a plugin may have filled it to the brim
    return plugin_error(where, call, status, text.data());
  } catch (const std::exception& thrown) {
    return plugin_threw(where, call, thrown.what());
  } catch (...) {
    return plugin_threw(where, call, "an exception of unknown type");
  }
}

}  // namespace attnrt::load
