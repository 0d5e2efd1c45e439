#include "attnrt/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string>

namespace attnrt {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"debug", "info", "warn", "error", "off"};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      break;
  }
  return spdlog::level::off;
}

LogLevel from_spdlog(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return LogLevel::kDebug;
    case spdlog::level::info:
      return LogLevel::kInfo;
    case spdlog::level::warn:
      return LogLevel::kWarn;
    case spdlog::level::err:
    case spdlog::level::critical:
      return LogLevel::kError;
    default:
      return LogLevel::kOff;
  }
}

std::unique_ptr<spdlog::logger> make_logger() {
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  // Not in spdlog's registry: an engine that uses spdlog itself keeps its own names and patterns.
  auto logger = std::make_unique<spdlog::logger>("attnrt", std::move(sink));
  logger->set_pattern("%n: %^%l%$: %v");
  logger->set_level(spdlog::level::warn);
  logger->flush_on(spdlog::level::warn);
  const char* wanted = std::getenv("ATTNRT_LOG");
  if (wanted == nullptr || *wanted == '\0') return logger;
  if (auto level = parse_log_level(wanted)) {
    logger->set_level(to_spdlog(*level));
  } else {
    logger->warn("ATTNRT_LOG: {}; {}", printable(level.error().found), level.error().remedy);
  }
  return logger;
}

// Never destroyed: plugins may log from threads that outlive static destructors.
spdlog::logger& logger() {
  static spdlog::logger* const instance = make_logger().release();
  return *instance;
}

}  // namespace

Result<LogLevel> parse_log_level(std::string_view text) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == text) return static_cast<LogLevel>(i + 1);
  }
  return Error{ErrorCode::kInvalid, "", "a log level", "'" + std::string(text) + "'",
               "write debug, info, warn, error or off"};
}

void set_log_level(LogLevel level) {
  logger().set_level(to_spdlog(level));
}

LogLevel log_level() {
  return from_spdlog(logger().level());
}

void log(LogLevel level, std::string_view text) {
  // As an argument, not as the format: braces in a plugin's text are text.
  logger().log(to_spdlog(level), "{}", printable(text));
}

}  // namespace attnrt
