#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/tools/ran.hpp"

namespace attnrt {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

TEST(CliPlugins, RefusedFilesAreReportedAndNoError) {
  const test::Folder folder;
  folder.file("broken.so", "not an object");
  const test::Ran ran = test::attnrt({"plugins", "--plugins", folder.path(), "--json"});
  EXPECT_EQ(ran.code, 0);
  const Json json = Json::parse(ran.out);
  EXPECT_EQ(json["searched"], Json({folder.path()}));
  ASSERT_EQ(json["refused"].size(), 1u);
  EXPECT_THAT(json["refused"][0]["path"].get<std::string>(), HasSubstr("broken.so"));
  EXPECT_NE(json["refused"][0]["reason"]["found"], "");
  EXPECT_THAT(test::attnrt({"plugins", "--plugins", folder.path()}).out, HasSubstr("refused: "));
}

TEST(CliPlugins, BareManifestsAreListedAsSuch) {
  const test::Folder none;
  const test::Ran ran =
      test::attnrt({"plugins", "--plugins", none.path(), "--manifests", test::kManifests});
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, HasSubstr("flash_attn"));
  EXPECT_THAT(ran.out, HasSubstr("bare manifest"));
}

TEST(CliPlugins, UnknownNameIsUsage) {
  const test::Folder none;
  const test::Ran ran = test::attnrt({"plugins", "nope", "--plugins", none.path()});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("'nope'"));
}

TEST(CliPlugins, NamedPluginThatWasRefusedIsFour) {
  const test::Folder folder;
  folder.file("broken.so", "not an object");
  const std::vector<std::vector<std::string>> uses{
      {"plugins", "broken"}, {"select", "--device", "cpu", "--backend", "broken"}};
  for (std::vector<std::string> args : uses) {
    args.insert(args.end(), {"--plugins", folder.path()});
    const test::Ran ran = test::attnrt(args);
    EXPECT_EQ(ran.code, 4) << args[0];
    EXPECT_THAT(ran.out + ran.err, HasSubstr("broken.so"));
  }
}

TEST(CliPlugins, ShadowedPluginsAreReported) {
  const test::Folder folder;
  const std::string manifest = test::read_text(test::kManifests + "/hpc_attn.yaml");
  folder.file("a.yaml", manifest);
  folder.file("b.yaml", manifest);  // the same plugin again: shadowed
  const test::Folder none;
  const std::vector<std::string> args{"plugins", "--plugins", none.path(), "--manifests",
                                      folder.path()};
  EXPECT_EQ(test::attnrt(args).code, 0);
  EXPECT_THAT(test::attnrt(args).out, HasSubstr("refused: "));
}

TEST(CliPlugins, EachPluginFolderMayBeNamed) {
  const test::Folder first, second;
  const Json json = Json::parse(
      test::attnrt({"plugins", "--plugins", first.path(), "--plugins", second.path(), "--json"})
          .out);
  EXPECT_EQ(json["searched"], Json({first.path(), second.path()}));
}

}  // namespace
}  // namespace attnrt
