#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attnrt/embed.hpp"

namespace attnrt::command {
namespace {

TEST(Embed, CHoldsHeaderAndText) {
  const std::string source = embedded_c("ab");
  EXPECT_THAT(source, testing::HasSubstr("section(\".attnrt_manifest\")"));
  // ATTNRTMF, version 1, two bytes, "ab"
  EXPECT_THAT(source, testing::HasSubstr("0x41, 0x54, 0x54, 0x4e, 0x52, 0x54, 0x4d, 0x46, "
                                         "0x01, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00,\n"
                                         "  0x61, 0x62,\n"));
}

TEST(Embed, AssemblySectionIsReadOnlyAndTheStackNotExecutable) {
  const std::string source = embedded_assembly("ab");
  EXPECT_THAT(source, testing::HasSubstr(".section .attnrt_manifest,\"a\""));
  EXPECT_THAT(source, testing::HasSubstr(".byte 0x61, 0x62\n"));
  EXPECT_THAT(source, testing::HasSubstr(".note.GNU-stack"));
}

}  // namespace
}  // namespace attnrt::command
