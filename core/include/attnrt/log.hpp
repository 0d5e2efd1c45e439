// The library's log: one logger, "attnrt", to stderr; results never go there, logs nowhere else.
//
// The first use reads the level from ATTNRT_LOG (debug, info, warn, error, off; default warn).
// Thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

#include "attnrt/result.hpp"

namespace attnrt {

// Values are those of ATTNRT_LOG_*.
enum class LogLevel : uint8_t { kDebug = 1, kInfo = 2, kWarn = 3, kError = 4, kOff = 5 };

Result<LogLevel> parse_log_level(std::string_view text);
void set_log_level(LogLevel level);
LogLevel log_level();

void log(LogLevel level, std::string_view text);

}  // namespace attnrt
