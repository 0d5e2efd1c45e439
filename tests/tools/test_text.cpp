#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "attnrt/command.hpp"
#include "attnrt/html_page.hpp"
#include "attnrt/progress.hpp"
#include "attnrt/text_table.hpp"

namespace attnrt::command {
namespace {

TEST(TextTable, AlignsColumnsAndTrimsLines) {
  TextTable table({"NAME", ">BYTES", "NOTE"});
  table.add({"a", "12345"});
  table.add({"longer", "7", "x"});
  EXPECT_EQ(table.to_string(),
            "NAME    BYTES  NOTE\n"
            "a       12345\n"
            "longer      7  x\n");
}

TEST(TextTable, CellsStayInTheirLinesAndObeyNobody) {
  TextTable table({"NAME"});
  table.add({"a\nb\x1b[2J\xff"});
  EXPECT_EQ(table.to_string(), "NAME\na\\nb\\x1b[2J\\xff\n");
}

TEST(TextTable, CountsCodePoints) {
  EXPECT_EQ(display_width("≤16 →"), 5u);
  EXPECT_EQ(display_width(""), 0u);
}

TEST(Texts, BytesAreNamedOnlyWhereExact) {
  EXPECT_EQ(bytes_text(584), "584 B");
  EXPECT_EQ(bytes_text(16384), "16 KiB");
  EXPECT_EQ(bytes_text(16385), "16385 B");
  EXPECT_EQ(bytes_text(2097152), "2 MiB");
}

TEST(Texts, RangesAreFolded) {
  EXPECT_EQ(ranges_text({0, 1, 2, 5, 7, 8}), "0-2, 5, 7-8");
  EXPECT_EQ(ranges_text({}), "");
}

TEST(Progress, LineHoldsBarPercentAndWords) {
  EXPECT_EQ(progress_line("1/2 a:", "prefill", 0.5, 80),
            "[############............]  50% 1/2 a: prefill");
}

TEST(Progress, LineSurvivesOddInput) {
  EXPECT_THAT(progress_line("", "", -3, 80), testing::HasSubstr("  0%"));
  EXPECT_THAT(progress_line("", "", std::nan(""), 80), testing::HasSubstr("  0%"));
  EXPECT_THAT(progress_line("", "", 7, 80), testing::HasSubstr("100%"));
  EXPECT_EQ(progress_line("a\nb", "\x1b[2J", 0, 80).find('\n'), std::string::npos);
  EXPECT_EQ(progress_line("a\nb", "\x1b[2J", 0, 80).find('\x1b'), std::string::npos);
  EXPECT_LE(progress_line(std::string(500, 'x'), "y", 1, 40).size(), 39u);
  for (int width = 38; width < 42; ++width) {
    const std::string line = progress_line("ééééééé", "\xc2\x9b", 1, width);
    EXPECT_EQ(printable(line), line) << "cut between characters";
  }
}

TEST(Html, EscapesWhatIsNoText) {
  EXPECT_EQ(html_escape("a\x1b\xff\nb"), "a\\x1b\\xff\nb");
}

TEST(Output, IsLookedAtWithoutMakingIt) {
  const std::string folder = testing::TempDir();
  EXPECT_TRUE(check_output(folder + "attnrt_not_made.json", "x").ok());
  EXPECT_NE(access((folder + "attnrt_not_made.json").c_str(), F_OK), 0);
  EXPECT_TRUE(check_output("-", "x").ok());
  for (const std::string& wrong : {folder, folder + "none/x.json", std::string("/dev/null/x")}) {
    const Status s = check_output(wrong, "run.yaml:1:2");
    ASSERT_FALSE(s.ok()) << wrong;
    EXPECT_EQ(s.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(s.error().where, "run.yaml:1:2");
  }
}

TEST(Html, EscapesWhatWouldBeMarkup) {
  EXPECT_EQ(html_escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
  EXPECT_THAT(html_table({"<b>"}, {{"<script>"}}), testing::Not(testing::HasSubstr("<script>")));
  EXPECT_THAT(html_page("<t>", ""), testing::Not(testing::HasSubstr("<t>")));
}

}  // namespace
}  // namespace attnrt::command
