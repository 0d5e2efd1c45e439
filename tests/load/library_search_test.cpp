// Missing libraries, found out without loading any. The world that is searched is the test's own.
#include "load/library_search.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "load/elf_manifest.hpp"
#include "support.hpp"

namespace attnrt::load {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::TempFolder;
namespace fs = std::filesystem;

constexpr const char* kStub = ATTNRT_FIXTURES "/stub/libattnrt_fixture_stub.so";
constexpr const char* kStubName = "libattnrt_fixture_stub.so";

class LibrarySearch : public ::testing::Test {
 protected:
  LibrarySearch() {
    fs::create_directory(folder_ / "libs");
    // The C library, and the run times that a sanitized build needs.
    world_.is_loaded = [](const std::string& name) {
      for (const char* known : {"libc.so", "libasan.so", "libubsan.so", "libtsan.so"}) {
        if (name.starts_with(known)) return true;
      }
      return false;
    };
  }

  void install(const std::string& from, const std::string& to) {
    testing::write_bytes(folder_ / to, testing::read_bytes(from));
  }
  std::vector<std::string> missing(ElfDynamic dynamic, std::vector<std::string> extra = {}) {
    return missing_libraries({std::move(dynamic), folder_.string()}, extra, world_);
  }

  TempFolder folder_;
  LibraryWorld world_;
};

TEST_F(LibrarySearch, ALibraryThatIsNowhereIsMissing) {
  EXPECT_THAT(missing({{"libc.so.6", "libnowhere.so.1"}, {}, {}}), ElementsAre("libnowhere.so.1"));
}

TEST_F(LibrarySearch, NamesOfTheManifestAreSearchedToo) {
  EXPECT_THAT(missing({{"libc.so.6"}, {}, {}}, {"libnowhere.so.1", "libc.so.6"}),
              ElementsAre("libnowhere.so.1"));
}

TEST_F(LibrarySearch, EachNameIsReportedOnce) {
  EXPECT_THAT(missing({{"liba.so", "liba.so"}, {}, {}}, {"liba.so"}), ElementsAre("liba.so"));
}

TEST_F(LibrarySearch, TheLibraryPathIsSearched) {
  install(kStub, "libs/libx.so");
  world_.library_path = {folder_ / "libs"};
  EXPECT_THAT(missing({{"libx.so"}, {}, {}}), IsEmpty());
}

TEST_F(LibrarySearch, TheRunPathIsSearchedFromTheOrigin) {
  install(kStub, "libs/libx.so");
  EXPECT_THAT(missing({{"libx.so"}, {}, "/nowhere:$ORIGIN/libs"}), IsEmpty());
  EXPECT_THAT(missing({{"libx.so"}, "${ORIGIN}/libs", {}}), IsEmpty());
}

TEST_F(LibrarySearch, ARunPathSwitchesTheOlderRpathOff) {
  install(kStub, "libs/libx.so");
  EXPECT_THAT(missing({{"libx.so"}, "$ORIGIN/libs", "/nowhere"}), ElementsAre("libx.so"));
}

TEST_F(LibrarySearch, TheCacheAndTheDefaultFoldersAreSearched) {
  install(kStub, "libs/libx.so");
  install(kStub, "libs/liby.so");
  const LdCache cache = {{"libx.so", {"/gone/libx.so", folder_ / "libs/libx.so"}}};
  world_.cache = &cache;
  EXPECT_THAT(missing({{"libx.so", "liby.so"}, {}, {}}), ElementsAre("liby.so"));
  world_.default_folders = {folder_ / "libs"};
  EXPECT_THAT(missing({{"libx.so", "liby.so"}, {}, {}}), IsEmpty());
}

TEST_F(LibrarySearch, AFileThatIsNoLibraryOfThisMachineIsPassedOver) {
  testing::write_bytes(folder_ / "libs/libx.so", "not a library");
  ASSERT_EQ(::mkfifo((folder_ / "libs/liby.so").c_str(), 0600), 0);
  testing::ElfBytes foreign(testing::read_bytes(kStub));
  foreign.header().e_machine = EM_RISCV;
  testing::write_bytes(folder_ / "libs/libz.so", foreign.bytes());
  world_.library_path = {folder_ / "libs"};
  EXPECT_THAT(missing({{"libx.so", "liby.so", "libz.so"}, {}, {}}),
              ElementsAre("libx.so", "liby.so", "libz.so"));
}

TEST_F(LibrarySearch, WhatAFoundLibraryNeedsIsSearchedToo) {
  install(testing::fixture("needs_stub"), "libs/libmiddle.so");
  world_.library_path = {folder_ / "libs"};
  EXPECT_THAT(missing({{"libmiddle.so"}, {}, {}}),
              ::testing::Contains(std::string(kStubName) + " (needed by libmiddle.so)"));
  install(kStub, std::string("libs/") + kStubName);
  EXPECT_THAT(missing({{"libmiddle.so"}, {}, {}}), IsEmpty());
}

TEST_F(LibrarySearch, ARpathIsInheritedAndARunPathIsNot) {
  install(testing::fixture("needs_stub"), "libs/libmiddle.so");
  install(kStub, std::string("libs/") + kStubName);
  EXPECT_THAT(missing({{"libmiddle.so"}, "$ORIGIN/libs", {}}), IsEmpty());
  EXPECT_THAT(missing({{"libmiddle.so"}, {}, "$ORIGIN/libs"}), ::testing::SizeIs(1));
}

TEST_F(LibrarySearch, ANameWithASlashIsAPath) {
  install(kStub, "libs/libx.so");
  EXPECT_THAT(missing({{folder_ / "libs/libx.so"}, {}, {}}), IsEmpty());
  EXPECT_THAT(missing({{"/nowhere/libx.so"}, {}, {}}), ElementsAre("/nowhere/libx.so"));
}

TEST_F(LibrarySearch, TheLibOfAPathHasSeveralReadings) {
  EXPECT_THAT(expand_tokens("/opt/$LIB", "/x"),
              ::testing::IsSupersetOf({"/opt/lib", "/opt/lib64"}));
  EXPECT_THAT(expand_tokens("/opt/lib", "/x"), ElementsAre("/opt/lib"));
}

TEST(SystemWorld, FindsWhatEveryProcessHasAndNotWhatNobodyHas) {
  const ElfDynamic dynamic{{"libc.so.6", "libm.so.6", "libattnrt_of_nowhere.so.3"}, {}, {}};
  EXPECT_THAT(missing_libraries({dynamic, "/"}, {}, system_world()),
              ElementsAre("libattnrt_of_nowhere.so.3"));
}

}  // namespace
}  // namespace attnrt::load
