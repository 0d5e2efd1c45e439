// The one step that runs a plugin's code, against plugins that lie, throw, refuse or are swapped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "load/inspect.hpp"
#include "load/open_plugin.hpp"
#include "load/plugin_call.hpp"
#include "support.hpp"

namespace attnrt::load {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;
namespace fs = std::filesystem;

// A fixture as the scan leaves it.
struct Scanned {
  explicit Scanned(const std::string& path) {
    auto inspected = inspect_file(path, trust);
    if (!inspected) throw std::runtime_error(to_string(inspected.error().error));
    file = std::make_unique<Inspected>(std::move(*inspected));
    auto parsed = read_manifest(file->image.manifest.text, path);
    if (!parsed) throw std::runtime_error(to_string(parsed.error().error));
    manifest = std::move(*parsed);
  }
  Checked<const attnrt_plugin*> open() const {
    return open_plugin({file->real_path, file->image.manifest.bytes, manifest, trust});
  }

  TrustRules trust = default_trust();
  std::unique_ptr<Inspected> file;
  Manifest manifest;
};

struct Lie {
  const char* fixture;
  RefusalKind kind;
  const char* says;
};
void PrintTo(const Lie& lie, std::ostream* out) { *out << lie.fixture; }
class LyingPlugin : public ::testing::TestWithParam<Lie> {};

TEST_P(LyingPlugin, IsRefusedWithItsReason) {
  const Scanned plugin(testing::fixture(GetParam().fixture));
  const auto opened = plugin.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, GetParam().kind);
  EXPECT_THAT(to_string(opened.error().error), HasSubstr(GetParam().says));
  EXPECT_EQ(opened.error().error.code, ErrorCode::kPluginRefused);
  EXPECT_FALSE(opened.error().error.remedy.empty());
}
INSTANTIATE_TEST_SUITE_P(
    Every, LyingPlugin,
    ::testing::Values(Lie{"small_table", RefusalKind::kAbi, "struct_size is 16"},
                      Lie{"zero_table", RefusalKind::kAbi, "struct_size is 0"},
                      Lie{"no_table", RefusalKind::kEntryFailed, "gave none"},
                      Lie{"null_function", RefusalKind::kMissingFunction, "these are null: attend"},
                      Lie{"refuses_entry", RefusalKind::kEntryFailed,
                          "unavailable (4): no driver here"},
                      Lie{"throws_entry", RefusalKind::kEntryFailed, "thrown by the entry point"},
                      Lie{"changes_manifest", RefusalKind::kChanged, "in memory differs"},
                      Lie{"needs_stub", RefusalKind::kOpenFailed, "libattnrt_fixture_stub.so"}),
    [](const auto& test) { return std::string(test.param.fixture); });

TEST(OpenPlugin, AGoodPluginHandsOverItsTable) {
  const Scanned plugin(testing::fixture("good"));
  const auto opened = plugin.open();
  ASSERT_TRUE(opened) << to_string(opened.error().error);
  EXPECT_EQ((*opened)->struct_size, sizeof(attnrt_plugin));
  EXPECT_NE((*opened)->attend, nullptr);
  EXPECT_EQ((*opened)->merge, nullptr);
}

TEST(OpenPlugin, OpeningTwiceGivesTheSameTableOnAnyThread) {
  const Scanned plugin(testing::fixture("good"));
  const auto first = plugin.open();
  ASSERT_TRUE(first);
  std::vector<const attnrt_plugin*> tables(4, nullptr);
  std::vector<std::thread> threads;
  for (const attnrt_plugin*& table : tables) {
    threads.emplace_back([&] {
      if (auto opened = plugin.open()) table = *opened;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(tables, ::testing::Each(*first));
}

TEST(OpenPlugin, APluginFrozenAtVersionOneLoads) {
  const Scanned plugin(testing::fixture("frozen"));
  const auto opened = plugin.open();
  ASSERT_TRUE(opened) << to_string(opened.error().error);
  EXPECT_NE((*opened)->append, nullptr);
  EXPECT_NE((*opened)->attend, nullptr);
}

TEST(OpenPlugin, APluginOfTomorrowLoadsToday) {
  const Scanned plugin(testing::fixture("future"));
  EXPECT_FALSE(plugin.manifest.warnings.empty()) << "an unknown key is worth a warning";
  ASSERT_EQ(plugin.manifest.kernels.size(), 2u);
  EXPECT_TRUE(plugin.manifest.kernels[0].unknown_keys.empty());
  EXPECT_THAT(plugin.manifest.kernels[1].unknown_keys, ::testing::ElementsAre("only_on_sundays"));
  const auto opened = plugin.open();
  ASSERT_TRUE(opened) << to_string(opened.error().error);
  EXPECT_EQ((*opened)->struct_size, sizeof(attnrt_plugin))
      << "what this header does not know is left out";
}

TEST(OpenPlugin, AFileThatWasReplacedSinceTheScanIsRefused) {
  const TempFolder folder;
  const std::string path = folder / "a.so";
  testing::copy_fixture("good", path);
  const Scanned plugin(path);
  fs::remove(path);
  testing::copy_fixture("refuses_open", path);
  const auto opened = plugin.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, RefusalKind::kChanged);
}

TEST(OpenPlugin, AFileThatWasRemovedSinceTheScanIsRefused) {
  const TempFolder folder;
  const std::string path = folder / "a.so";
  testing::copy_fixture("good", path);
  const Scanned plugin(path);
  fs::remove(path);
  const auto opened = plugin.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, RefusalKind::kUnreadable);
}

TEST(OpenPlugin, ANewFileUnderTheNameOfLoadedCodeIsRefused) {
  const TempFolder folder;
  const std::string path = folder / "a.so";
  testing::copy_fixture("good", path);
  ASSERT_TRUE(Scanned(path).open());
  fs::remove(path);
  testing::copy_fixture("refuses_open", path);
  const auto opened = Scanned(path).open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, RefusalKind::kChanged);
  EXPECT_THAT(opened.error().error.found, HasSubstr("older file"));
}

TEST(OpenPlugin, WhatTheDynamicLoaderSaysIsPassedOn) {
  const TempFolder folder;
  const std::string path = folder / "a.so";
  testing::ElfBytes broken(testing::read_bytes(testing::fixture("good")));
  // Sound for the reader, impossible for the loader: a segment off its page.
  for (size_t i = 0; i < broken.header().e_phnum; ++i) {
    Elf64_Phdr& segment = broken.segment(i);
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_W) != 0) segment.p_offset += 1;
  }
  testing::write_bytes(path, broken.bytes());
  const auto opened = Scanned(path).open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, RefusalKind::kOpenFailed);
  EXPECT_THAT(opened.error().error.found, HasSubstr("ELF load command"));
}

TEST(OpenPlugin, ARefusalOfOpenCarriesThePluginsText) {
  const auto table = Scanned(testing::fixture("refuses_open")).open();
  ASSERT_TRUE(table);
  attnrt_instance* instance = nullptr;
  const Status opened = call_plugin("refuses_open", "open", [&](attnrt_error* error) {
    return (*table)->open(nullptr, nullptr, &instance, error);
  });
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().found, HasSubstr("the device is asleep"));
}

TEST(OpenPlugin, AnythingThrownByOpenIsARefusal) {
  const auto table = Scanned(testing::fixture("throws_open")).open();
  ASSERT_TRUE(table);
  attnrt_instance* instance = nullptr;
  const Status opened = call_plugin("throws_open", "open", [&](attnrt_error* error) {
    return (*table)->open(nullptr, nullptr, &instance, error);
  });
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().found, HasSubstr("threw across the ABI"));
}

}  // namespace
}  // namespace attnrt::load
