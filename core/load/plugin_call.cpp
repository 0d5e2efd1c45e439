#include "load/plugin_call.hpp"

namespace attnrt::load {

std::string_view status_name(attnrt_status status) {
  switch (status) {
    case ATTNRT_OK:
      return "ok";
    case ATTNRT_INVALID_ARGUMENT:
      return "invalid argument";
    case ATTNRT_UNSUPPORTED:
      return "unsupported";
    case ATTNRT_OUT_OF_MEMORY:
      return "out of memory";
    case ATTNRT_UNAVAILABLE:
      return "unavailable";
    case ATTNRT_DEVICE_ERROR:
      return "device error";
    case ATTNRT_INTERNAL:
      return "internal error";
    default:
      return "unknown status";
  }
}

namespace {

std::string_view remedy_for(attnrt_status status) {
  switch (status) {
    case ATTNRT_OUT_OF_MEMORY:
      return "free memory, or make the cache or the batch smaller";
    case ATTNRT_UNAVAILABLE:
      return "check the driver and the device, or deny this plugin";
    case ATTNRT_INVALID_ARGUMENT:
      return "report it: the host or the plugin breaks the contract of attnrt/plugin.h";
    default:
      return "deny this plugin, or ask its vendor";
  }
}

}  // namespace

Error plugin_error(std::string_view where, std::string_view call, attnrt_status status,
                   std::string_view text) {
  std::string found = std::string(call) + " answered " + std::string(status_name(status));
  found += " (" + std::to_string(status) + ")";
  if (!text.empty()) found += ": " + std::string(text);
  return Error{ErrorCode::kPluginRefused, std::string(where), "", std::move(found),
               std::string(remedy_for(status))};
}

Error option_error(std::string_view where, std::string_view plugin, std::string_view key,
                   std::string_view text) {
  const std::string all = "plugins: options: " + std::string(plugin);
  const std::string whose = "plugin '" + std::string(plugin) + "' takes";
  Error error{ErrorCode::kInvalid, std::string(where), "options that " + whose, std::string(text),
              "correct or remove what stands in " + all};
  if (key.empty()) return error;
  error.expected = "the option '" + std::string(key) + "' as " + whose + " it";
  error.remedy = "correct or remove " + all + ": " + std::string(key);
  return error;
}

Error plugin_threw(std::string_view where, std::string_view call, std::string_view what) {
  return Error{ErrorCode::kPluginRefused, std::string(where),
               std::string(call) + " to return a status",
               "it threw across the ABI: " + std::string(what),
               "deny this plugin, and report the defect to its vendor"};
}

}  // namespace attnrt::load
