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
  EXPECT_EQ(in_quotes("a\x1b[31m\n"), "'a\\x1b[31m\\n'");
  EXPECT_EQ(in_quotes(std::string(63, 'x') + "\u00e9y"), "'" + std::string(63, 'x') + "\u2026'")
      << "cut between characters";
}

TEST(Printable, EscapesControlsAndWhatIsNoUtf8) {
  EXPECT_EQ(printable("plain \u2264 text"), "plain \u2264 text");
  EXPECT_EQ(printable("a\x1b[2J\r\n\tb\x7f"), "a\\x1b[2J\\r\\n\\tb\\x7f");
  EXPECT_EQ(printable("\xff\xc2\x9b\xe2\x89"), "\\xff\\xc2\\x9b\\xe2\\x89") << "C1 and cut off";
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable_lines("a\x1b\nb\r"), "a\\x1b\nb\\r");
}

TEST(ErrorText, HoldsNothingThatATerminalWouldObey) {
  EXPECT_EQ(to_string(Error{.where = "a\x1b]0;x\x07.yaml", .found = "line\nbreak"}),
            "a\\x1b]0;x\\x07.yaml: line\\nbreak");
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
