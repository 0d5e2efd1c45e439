// The growth rules: structs of older and newer callers.
#include "attnrt/plugin/growth.hpp"

#include <gtest/gtest.h>

#include "attnrt/plugin/host.hpp"

namespace attnrt::plugin {
namespace {

// A struct as a version knows it, and the same from a later version.
struct Now {
  uint32_t struct_size;
  int32_t a;
  int64_t b;
};
struct Later {
  Now now;
  int64_t c;
};

attnrt_status status_of(const Now* given, Unknown unknown = Unknown::kMustBeZero) {
  try {
    const Given checked(given, "thing", unknown);
    return ATTNRT_OK;
  } catch (const PluginError& e) {
    return e.status();
  }
}

TEST(Given, IsTheCallersStructWhereSizesAgree) {
  const Now now{sizeof(Now), 1, 2};
  const Given given(&now, "thing");
  EXPECT_EQ(&*given, &now);
}

TEST(Given, ReadsMissingFieldsAsZero) {
  const Now now{offsetof(Now, b), 1, 2};
  const Given given(&now, "thing");
  EXPECT_EQ(given->a, 1);
  EXPECT_EQ(given->b, 0);
  EXPECT_EQ(given->struct_size, sizeof(Now));
}

TEST(Given, TakesUnknownFieldsThatAreZero) {
  const Later later{{sizeof(Later), 1, 2}, 0};
  const Given given(&later.now, "thing");
  EXPECT_EQ(given->b, 2);
}

TEST(Given, RefusesUnknownFieldsThatAreNot) {
  const Later later{{sizeof(Later), 1, 2}, INT64_C(1) << 56};
  EXPECT_EQ(status_of(&later.now), ATTNRT_UNSUPPORTED);
  EXPECT_EQ(status_of(&later.now, Unknown::kIgnored), ATTNRT_OK);
}

TEST(Given, RefusesNullAndForgottenSizes) {
  EXPECT_EQ(status_of(nullptr), ATTNRT_INVALID_ARGUMENT);
  const Now forgotten{0, 1, 2};
  EXPECT_EQ(status_of(&forgotten), ATTNRT_INVALID_ARGUMENT);
}

TEST(Give, WritesNoMoreThanTheCallerHas) {
  Now out{offsetof(Now, b), 0, 77};
  give(&out, Now{sizeof(Now), 5, 0}, "thing");
  EXPECT_EQ(out.a, 5);
  EXPECT_EQ(out.b, 77);
  EXPECT_EQ(out.struct_size, offsetof(Now, b));
  EXPECT_THROW(give(&out, Now{sizeof(Now), 5, 6}, "thing"), PluginError);
}

TEST(Host, OfALaterVersionMayHaveFunctionsThatWeDoNotKnow) {
  struct LaterHost {
    attnrt_host known;
    void (*unknown)();
  };
  LaterHost later{};
  later.known.struct_size = sizeof(later);
  later.known.threads = 3;
  later.unknown = [] {};
  const Host host(&later.known);
  EXPECT_EQ(host.threads(), 3);
}

TEST(Host, OfAnEarlierVersionLacksWhatCameLater) {
  attnrt_host early{};
  early.struct_size = offsetof(attnrt_host, parallel_for);
  early.parallel_for = [](void*, int64_t, void (*)(void*, int64_t), void*) { FAIL(); };
  const Host host(&early);
  EXPECT_FALSE(host.has_threads());
  int64_t sum = 0;
  host.parallel_for(4, [&](int64_t i) noexcept { sum += i; });
  EXPECT_EQ(sum, 6);
  host.log(ATTNRT_LOG_INFO, "nobody listens");  // no log either
}

}  // namespace
}  // namespace attnrt::plugin
