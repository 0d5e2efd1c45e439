#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/tools/ran.hpp"

namespace attnrt {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

const std::string kManifest = test::kManifests + "/hpc_attn.yaml";

TEST(ManifestCheck, ValidOnesPass) {
  const test::Ran ran = test::attnrt({"manifest", "check", kManifest});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("hpc_attn"));
  EXPECT_THAT(ran.out, HasSubstr("valid"));
}

TEST(ManifestCheck, InvalidOnesNameTheirPlaceAndTheOthersAreStillChecked) {
  const test::Folder folder;
  const std::string bad = folder.file("bad.yaml", "attnrt_manifest: 1\nplugin: []\n");
  const test::Ran ran = test::attnrt({"manifest", "check", bad, kManifest});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.out, HasSubstr(bad + ":2:"));
  EXPECT_THAT(ran.out, HasSubstr("hpc_attn"));
  const Json json = Json::parse(test::attnrt({"manifest", "check", bad, kManifest, "--json"}).out);
  EXPECT_EQ(json[0]["valid"], false);
  EXPECT_EQ(json[0]["error"]["code"], 2);
  EXPECT_EQ(json[1]["valid"], true);
}

TEST(ManifestCheck, UnknownKeysOfAKernelAreSaid) {
  const test::Folder folder;
  std::string text = test::read_text(kManifest);
  const size_t at = text.find("    device:");
  ASSERT_NE(at, std::string::npos);
  text.insert(at, "    future_rule: [1]\n");
  const test::Ran ran = test::attnrt({"manifest", "check", folder.file("m.yaml", text)});
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, HasSubstr("unknown key 'future_rule'"));
}

TEST(ManifestCheck, MissingAndBinaryFilesAreRefused) {
  const test::Folder folder;
  EXPECT_EQ(test::attnrt({"manifest", "check", folder.path() + "/none.yaml"}).code, 2);
  EXPECT_EQ(test::attnrt({"manifest", "check", folder.path()}).code, 2);
  EXPECT_EQ(test::attnrt({"manifest", "check",
                          folder.file("x.so",
                                      "\x7f"
                                      "ELF")})
                .code,
            2);
}

// What `embed` writes, compiled into an object as a plugin's author would, is read back by the
// scan.
class ManifestEmbed : public testing::TestWithParam<const char*> {};
TEST_P(ManifestEmbed, IsReadBackFromTheObject) {
  const test::Folder folder;
  const std::string source = folder.path() + "/manifest" + GetParam();
  ASSERT_EQ(test::attnrt({"manifest", "embed", kManifest, "-o", source}).code, 0);
  const std::string entry =
      folder.file("entry.c", "int attnrt_plugin_entry_v1(void) { return 1; }\n");
  const std::string object = folder.path() + "/hpc_attn.so";
  const test::Ran built = test::run_program(
      ATTNRT_C_COMPILER, {"-shared", "-fPIC", "-Wall", "-Werror", "-o", object, entry, source});
  ASSERT_EQ(built.code, 0) << built.err;

  const test::Ran ran = test::attnrt({"plugins", "--plugins", folder.path(), "--json"});
  const Json json = Json::parse(ran.out);
  ASSERT_EQ(json["plugins"].size(), 1u) << ran.out;
  EXPECT_EQ(json["plugins"][0]["name"], "hpc_attn");
  EXPECT_EQ(json["plugins"][0]["has_code"], true);
  EXPECT_EQ(test::attnrt({"manifest", "check", object}).code, 0);

  // Its entry point answers an error: named and opened, that is a refusal.
  EXPECT_EQ(test::attnrt({"plugins", "--plugins", folder.path(), "--open"}).code, 0);
  EXPECT_EQ(test::attnrt({"plugins", "hpc_attn", "--plugins", folder.path(), "--open"}).code, 4);
}
INSTANTIATE_TEST_SUITE_P(Languages, ManifestEmbed, testing::Values(".c", ".s"),
                         [](const auto& p) { return std::string(p.param + 1); });

TEST(ManifestEmbedErrors, InvalidManifestsAndOutputsWriteNothing) {
  const test::Folder folder;
  const std::string bad = folder.file("bad.yaml", "plugin: 1\n");
  const std::string out = folder.path() + "/out.c";
  EXPECT_EQ(test::attnrt({"manifest", "embed", bad, "-o", out}).code, 2);
  EXPECT_EQ(test::read_text(out), "");
  const test::Ran ran =
      test::attnrt({"manifest", "embed", kManifest, "-o", folder.path() + "/o.o"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("ends in .c or .s"));
}

}  // namespace
}  // namespace attnrt
