// Medians, and how often a call is made.
#include <gtest/gtest.h>

#include "bench/timing.hpp"

namespace attnrt::bench {
namespace {

TEST(Timing, SummarisesOddAndEvenNumbersOfTimes) {
  EXPECT_DOUBLE_EQ(summarise({3, 1, 2}).median_ms, 2);
  EXPECT_DOUBLE_EQ(summarise({4, 1, 2, 3}).median_ms, 2.5);
  EXPECT_DOUBLE_EQ(summarise({4, 1, 2, 3}).min_ms, 1);
  EXPECT_EQ(summarise({7}).iterations, 1);
}

struct Counted {
  int calls = 0;
  Result<Timing> run(const BenchEffort& effort) {
    return measure(effort, [&]() -> Status {
      ++calls;
      return Done{};
    });
  }
};

TEST(Timing, ExactlyAsOftenAsAsked) {
  Counted counted;
  EXPECT_EQ(counted.run({.iterations = 5, .min_seconds = 100})->iterations, 5);
  EXPECT_EQ(counted.calls, 5 + 2) << "and two calls that are not timed";
}

TEST(Timing, AtLeastNineTimesHoweverLongThatTakes) {
  Counted counted;
  EXPECT_EQ(counted.run({.min_seconds = 0})->iterations, 9);
}

TEST(Timing, UntilTheTimeIsUp) {
  Counted counted;
  EXPECT_GT(counted.run({.min_seconds = 0.01})->iterations, 9);
}

TEST(Timing, TheFirstErrorEndsIt) {
  int calls = 0;
  const Result<Timing> timing = measure({}, [&]() -> Status {
    if (++calls < 4) return Done{};
    return Error{.found = "broken"};
  });
  ASSERT_FALSE(timing.ok());
  EXPECT_EQ(timing.error().found, "broken");
  EXPECT_EQ(calls, 4);
}

}  // namespace
}  // namespace attnrt::bench
