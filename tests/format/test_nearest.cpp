// Errors and the search for the nearest name.
#include <gtest/gtest.h>

#include "attnrt/format.hpp"
#include "attnrt/result.hpp"
#include "format/nearest.hpp"

namespace attnrt {
namespace {

constexpr std::string_view kKnown[] = {"bf16", "f16", "fp8_e4m3", "fp8_e5m2"};

TEST(Nearest, NamesTheClosestFirst) {
  EXPECT_EQ(nearest("fp8_e4m4", kKnown), "'fp8_e4m3' or 'fp8_e5m2'");
  EXPECT_EQ(nearest("bf17", kKnown), "'bf16' or 'f16'");
}

TEST(Nearest, AlwaysNamesOneUnlessNothingIsKnown) {
  EXPECT_EQ(nearest("something_else", {kKnown, 1}), "'bf16'");
  EXPECT_EQ(nearest("", {kKnown, 1}), "'bf16'");
  EXPECT_EQ(nearest("x", {}), "");
}

TEST(Nearest, TakesHugeAndHostileText) {
  const std::string huge(1 << 20, 'x');
  EXPECT_FALSE(nearest(huge, kKnown).empty());
  EXPECT_LT(in_quotes(huge).size(), 100u);
  EXPECT_EQ(in_quotes("a\x1b[31m\n"), "'a?[31m?'");
}

TEST(ErrorText, HasOneForm) {
  EXPECT_EQ(to_string(Error{.code = ErrorCode::kInvalid,
                            .where = "run.yaml:3:7",
                            .expected = "an integer",
                            .found = "'many'",
                            .remedy = "write a number of blocks, e.g. 4096"}),
            "run.yaml:3:7: expected an integer, found 'many'; write a number of blocks, e.g. 4096");
  EXPECT_EQ(to_string(Error{.found = "out of memory"}), "out of memory");
}

}  // namespace
}  // namespace attnrt
