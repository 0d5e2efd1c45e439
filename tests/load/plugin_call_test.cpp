#include "load/plugin_call.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <stdexcept>

#include "attnrt/log.hpp"
#include "load/host.hpp"

namespace attnrt::load {
namespace {

using ::testing::HasSubstr;

TEST(PluginCall, OkIsOk) {
  EXPECT_TRUE(call_plugin("p", "open", [](attnrt_error*) { return ATTNRT_OK; }));
}

TEST(PluginCall, AStatusCarriesItsTextAndItsName) {
  const Status status = call_plugin("plugin x", "open", [](attnrt_error* error) {
    std::snprintf(error->text, error->capacity, "no device");
    return attnrt_status{ATTNRT_UNAVAILABLE};
  });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kPluginRefused);
  EXPECT_EQ(status.error().where, "plugin x");
  EXPECT_EQ(status.error().found, "open answered unavailable (4): no device");
  EXPECT_FALSE(status.error().remedy.empty());
}

TEST(PluginCall, AnUnknownStatusIsAFailureToo) {
  const Status status = call_plugin("p", "open", [](attnrt_error*) { return attnrt_status{77}; });
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().found, HasSubstr("unknown status (77)"));
}

TEST(PluginCall, ATextWithoutAnEndIsCut) {
  const Status status = call_plugin("p", "open", [](attnrt_error* error) {
    for (uint64_t i = 0; i < error->capacity; ++i) error->text[i] = 'x';
    return attnrt_status{ATTNRT_INTERNAL};
  });
  ASSERT_FALSE(status);
  EXPECT_LT(status.error().found.size(), 1200u);
}

TEST(PluginCall, WhateverIsThrownBecomesAnError) {
  const Status known = call_plugin(
      "p", "open", [](attnrt_error*) -> attnrt_status { throw std::runtime_error("out of luck"); });
  ASSERT_FALSE(known);
  EXPECT_THAT(known.error().found, HasSubstr("out of luck"));
  const Status unknown = call_plugin("p", "open", [](attnrt_error*) -> attnrt_status { throw 1; });
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().found, HasSubstr("unknown type"));
}

TEST(Host, LendsAlignedMemoryAndNullForWhatCannotBe) {
  const Host services("p");
  const attnrt_host& host = *services.table();
  EXPECT_EQ(host.struct_size, sizeof(attnrt_host));
  void* memory = host.allocate(host.ctx, 100, 256);
  ASSERT_NE(memory, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 256, 0u);
  host.release(host.ctx, memory);
  EXPECT_EQ(host.allocate(host.ctx, 8, 3), nullptr);
  EXPECT_EQ(host.allocate(host.ctx, UINT64_MAX, 16), nullptr);
  host.release(host.ctx, nullptr);
}

TEST(Host, LogsWithThePluginsName) {
  const Host services("plugin_of_the_test");
  const attnrt_host& host = *services.table();
  ::testing::internal::CaptureStderr();
  host.log(host.ctx, ATTNRT_LOG_ERROR, "braces {} are text");
  host.log(host.ctx, ATTNRT_LOG_ERROR, nullptr);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("plugin_of_the_test: braces {} are text"));
}

TEST(Host, LendsTheEnginesThreads) {
  EXPECT_EQ(Host("p").table()->parallel_for, nullptr);
  int64_t asked = 0;
  const LentThreads lent{[](void* ctx, int64_t n, void (*fn)(void*, int64_t), void* arg) {
                           *static_cast<int64_t*>(ctx) += n;
                           for (int64_t i = 0; i < n; ++i) fn(arg, i);
                         },
                         &asked, 3};
  const Host services("p", lent);
  const attnrt_host& host = *services.table();
  EXPECT_EQ(host.threads, 3);
  int64_t sum = 0;
  host.parallel_for(
      host.ctx, 5, [](void* arg, int64_t i) { *static_cast<int64_t*>(arg) += i; }, &sum);
  EXPECT_EQ(asked, 5);
  EXPECT_EQ(sum, 0 + 1 + 2 + 3 + 4);
}

TEST(Log, LevelsAreParsedAndUnknownOnesListTheKnown) {
  ASSERT_TRUE(parse_log_level("debug"));
  EXPECT_EQ(*parse_log_level("off"), LogLevel::kOff);
  const auto unknown = parse_log_level("loud");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(to_string(unknown.error()), HasSubstr("debug, info, warn, error or off"));
}

TEST(Log, ALevelSilencesWhatIsBelowIt) {
  const LogLevel before = log_level();
  set_log_level(LogLevel::kError);
  ::testing::internal::CaptureStderr();
  log(LogLevel::kWarn, "quiet");
  log(LogLevel::kError, "loud");
  const std::string written = ::testing::internal::GetCapturedStderr();
  set_log_level(before);
  EXPECT_THAT(written, HasSubstr("loud"));
  EXPECT_THAT(written, ::testing::Not(HasSubstr("quiet")));
}

}  // namespace
}  // namespace attnrt::load
