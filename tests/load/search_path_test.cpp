#include "load/search_path.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"

namespace attnrt::load {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TempFolder;
namespace fs = std::filesystem;

SearchOptions with_path(std::vector<std::string> path) {
  SearchOptions options;
  options.path = std::move(path);
  return options;
}

TEST(SearchPath, OptionsReplaceTheEnvironmentAndTheDefault) {
  const SearchEnvironment environment{"/from/environment", "/default"};
  EXPECT_THAT(search_path(with_path({"/a", "/b"}), environment).folders, ElementsAre("/a", "/b"));
}

TEST(SearchPath, TheEnvironmentComesBeforeTheDefault) {
  const SearchEnvironment environment{"/one:/two", "/default"};
  EXPECT_THAT(search_path({}, environment).folders, ElementsAre("/one", "/two", "/default"));
}

TEST(SearchPath, WithoutAnEnvironmentThereIsTheDefault) {
  EXPECT_THAT(search_path({}, {std::nullopt, "/default"}).folders, ElementsAre("/default"));
}

TEST(SearchPath, EmptyAndRelativeEntriesOfTheEnvironmentNeverMeanTheCurrentFolder) {
  const auto path = search_path({}, {"::/one:plugins:.:", "/default"});
  EXPECT_THAT(path.folders, ElementsAre("/one", "/default"));
  EXPECT_THAT(path.warnings, ElementsAre(HasSubstr("'plugins'"), HasSubstr("'.'")));
}

TEST(SearchPath, AnEmptyOptionIsNotTheCurrentFolderEither) {
  const auto path = search_path(with_path({""}), {"/one", "/default"});
  EXPECT_THAT(path.folders, IsEmpty());
  EXPECT_EQ(path.warnings.size(), 1u);
}

TEST(SearchPath, ARelativeOptionIsMadeAbsolute) {
  const auto path = search_path(with_path({"some/where"}), {});
  EXPECT_THAT(path.folders, ElementsAre((fs::current_path() / "some/where").string()));
}

TEST(SearchPath, AFolderNamedTwiceIsSearchedOnce) {
  const TempFolder folder;
  fs::create_directory(folder / "a");
  fs::create_directory_symlink("a", folder / "link");
  const auto path = search_path(with_path({folder / "a", folder / "./a/", folder / "link"}), {});
  EXPECT_THAT(path.folders, ElementsAre(folder / "a"));
}

TEST(SearchPath, ABuildTreeHasItsPluginsBesideTheLibraryFolder) {
  const TempFolder build;
  testing::write_bytes(build / "CMakeCache.txt", "");
  EXPECT_EQ(default_plugin_folder(build / "lib"), build / "plugins");
}

TEST(SearchPath, AnInstalledLibraryHasItsPluginsBelowItsFolder) {
  const TempFolder prefix;
  EXPECT_EQ(default_plugin_folder(prefix / "lib"), prefix / "lib/attnrt/plugins");
}

TEST(SearchPath, TheDefaultOfThisBuildIsItsPluginFolder) {
  EXPECT_EQ(read_environment().default_folder, std::string(ATTNRT_BINARY_DIR) + "/plugins");
}

}  // namespace
}  // namespace attnrt::load
