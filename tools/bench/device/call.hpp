// Calls of a device's functions: what the plugin answers becomes a Status.
#pragma once

#include <string>

#include "attnrt/plugin.h"
#include "attnrt/result.hpp"

namespace attnrt::bench {

// call(attnrt_error*) -> attnrt_status. Error: kInternal, with the plugin's text.
template <class Call>
Status call_device(const char* function, Call&& call) {
  char text[512] = "";
  attnrt_error error{text, sizeof text};
  const attnrt_status status = call(&error);
  if (status == ATTNRT_OK) return Done{};
  const std::string why = text[0] == '\0' ? "status " + std::to_string(status) : text;
  return Error{ErrorCode::kInternal, "the device", "", std::string(function) + " failed: " + why,
               "see whether the device is in order and has memory enough, or set a smaller kv_mib"};
}

}  // namespace attnrt::bench
