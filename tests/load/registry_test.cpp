// Scanning whole folders: whatever lies in them, each bad file is one refusal and the rest goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "attnrt/load.hpp"
#include "attnrt/log.hpp"
#include "support.hpp"

namespace attnrt {
namespace {

using load::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;
namespace support = load::testing;

PluginRegistry scan(std::vector<std::string> folders) {
  SearchOptions options;
  options.path = std::move(folders);
  return PluginRegistry::scan(options);
}

std::map<std::string, RefusalKind> kinds_of(const PluginRegistry& registry) {
  std::map<std::string, RefusalKind> kinds;
  for (const RefusedPlugin& refused : registry.refused()) {
    kinds[fs::path(refused.path).filename().string()] = refused.kind;
    EXPECT_EQ(refused.reason.code, ErrorCode::kPluginRefused) << refused.path;
    EXPECT_THAT(refused.reason.where, HasSubstr(refused.path));
    EXPECT_FALSE(refused.reason.found.empty()) << refused.path;
  }
  return kinds;
}

std::vector<std::string> names_of(const PluginRegistry& registry) {
  std::vector<std::string> names;
  for (const ScannedPlugin& plugin : registry.plugins()) names.push_back(plugin.manifest.name);
  return names;
}

uint32_t index_of(const PluginRegistry& registry, const std::string& name) {
  const auto names = names_of(registry);
  const auto at = std::find(names.begin(), names.end(), name);
  if (at == names.end()) throw std::runtime_error("not scanned: " + name);
  return static_cast<uint32_t>(at - names.begin());
}

class Registry : public ::testing::Test {
 protected:
  void install(const std::string& name) { support::copy_fixture(name, folder_ / (name + ".so")); }
  TempFolder folder_;
};

TEST_F(Registry, EveryBadFileIsNamedAndTheGoodOnesGoOn) {
  install("good");
  const auto good = support::read_bytes(support::fixture("good"));
  std::map<std::string, RefusalKind> expected;
  const auto put = [&](const std::string& name, RefusalKind kind) {
    expected[name] = kind;
    return folder_ / name;
  };
  support::write_bytes(put("a_empty.so", RefusalKind::kNotElf), "");
  support::write_bytes(put("a_text.so", RefusalKind::kNotElf), "#!/bin/sh\necho no\n");
  std::string noise(5000, '\0');
  std::mt19937 random(7);
  for (char& byte : noise) byte = static_cast<char>(random());
  support::write_bytes(put("a_random.so", RefusalKind::kNotElf), noise);
  support::write_bytes(put("a_truncated.so", RefusalKind::kMalformedElf),
                       std::string_view(good.data(), good.size() / 2));
  ASSERT_EQ(::mkfifo(put("a_fifo.so", RefusalKind::kNotRegularFile).c_str(), 0600), 0);
  fs::create_directory(put("a_folder.so", RefusalKind::kNotRegularFile));
  fs::create_symlink("/dev/zero", put("a_device.so", RefusalKind::kNotRegularFile));
  fs::create_symlink("/nowhere.so", put("a_dangling.so", RefusalKind::kDanglingLink));
  support::ElfBytes foreign(good);
  foreign.header().e_machine = EM_RISCV;
  support::write_bytes(put("a_foreign.so", RefusalKind::kForeignElf), foreign.bytes());
  support::copy_fixture("good", put("a_writable_by_all.so", RefusalKind::kUntrusted));
  fs::permissions(folder_ / "a_writable_by_all.so", fs::perms::others_write, fs::perm_options::add);
  const std::map<std::string, RefusalKind> fixtures = {
      {"abi2", RefusalKind::kAbi},
      {"no_entry", RefusalKind::kNoEntry},
      {"two_manifests", RefusalKind::kManifestSection},
      {"writable", RefusalKind::kManifestSection},
      {"unreadable_text", RefusalKind::kManifestText},
  };
  for (const auto& [name, kind] : fixtures) {
    install(name);
    expected[name + ".so"] = kind;
  }
  install("refuses_open");
  support::write_bytes(folder_ / "notes.txt", "not looked at");

  const PluginRegistry registry = scan({folder_.string()});
  EXPECT_EQ(kinds_of(registry), expected);
  EXPECT_THAT(names_of(registry), ElementsAre("fixture_good", "fixture_refuses_open"));
  EXPECT_TRUE(registry.load(0)) << "what is sound still loads";
}

TEST_F(Registry, NoCodeRunsBeforeAPluginIsChosen) {
  install("good");
  const std::string mark = folder_ / "the_constructor_ran";
  ASSERT_EQ(::setenv("ATTNRT_FIXTURE_MARK", mark.c_str(), 1), 0);
  const PluginRegistry registry = scan({folder_.string()});
  ASSERT_THAT(names_of(registry), ElementsAre("fixture_good"));
  Request request;
  request.q = DType::kF32;
  request.kv = Format::kF32;
  request.head_dim = {64, 64};
  request.q_heads = request.kv_heads = 4;
  const Decision decision = select(request, registry.catalog());
  ASSERT_TRUE(decision.chosen) << "it can be chosen on its manifest alone";
  EXPECT_FALSE(fs::exists(mark)) << "scanning and selecting ran the plugin's code";
  EXPECT_TRUE(registry.load(0));
  EXPECT_TRUE(fs::exists(mark)) << "loading runs it; else this test proves nothing";
  ::unsetenv("ATTNRT_FIXTURE_MARK");
}

TEST_F(Registry, TheFirstOfTwoPluginsOfOneNameWins) {
  const TempFolder second;
  install("good");
  support::copy_fixture("good", folder_ / "later.so");
  support::copy_fixture("good", second / "good.so");
  const PluginRegistry registry = scan({folder_.string(), second.string()});
  ASSERT_EQ(registry.plugins().size(), 1u);
  EXPECT_EQ(registry.plugins()[0].path, folder_ / "good.so");
  ASSERT_EQ(registry.refused().size(), 2u);
  for (const RefusedPlugin& refused : registry.refused()) {
    EXPECT_EQ(refused.kind, RefusalKind::kShadowed);
    EXPECT_EQ(refused.name, "fixture_good");
    EXPECT_THAT(refused.reason.found, HasSubstr(folder_ / "good.so"));
  }
}

TEST_F(Registry, MissingLibrariesAreListedAndStopTheLoadOnly) {
  install("needs_libraries");
  install("needs_stub");
  const PluginRegistry registry = scan({folder_.string()});
  EXPECT_THAT(registry.refused(), IsEmpty());
  const auto& of_manifest = registry.plugins()[index_of(registry, "fixture_needs_libraries")];
  EXPECT_THAT(of_manifest.missing_libraries, ElementsAre("libattnrt_of_nowhere.so.3"));
  const uint32_t stub = index_of(registry, "fixture_needs_stub");
  EXPECT_THAT(registry.plugins()[stub].missing_libraries, ElementsAre("libattnrt_fixture_stub.so"));
  EXPECT_EQ(registry.catalog().entries()[stub].missing_libraries.size(), 1u);
  const auto loaded = registry.load(stub);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(to_string(loaded.error()), HasSubstr("not found: libattnrt_fixture_stub.so"));
  EXPECT_EQ(loaded.error().code, ErrorCode::kPluginRefused);
}

TEST_F(Registry, AnAbsentFolderIsAnEmptyOneWithAWarning) {
  install("good");
  ::testing::internal::CaptureStderr();
  const PluginRegistry registry = scan({folder_ / "absent", folder_.string()});
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("absent"));
  EXPECT_THAT(registry.searched(), ElementsAre(folder_ / "absent", folder_.string()));
  EXPECT_EQ(registry.plugins().size(), 1u);
}

TEST_F(Registry, TrustingAnyOwnerIsAnOptionThatIsLogged) {
  install("good");
  fs::permissions(folder_ / "good.so", fs::perms::others_write, fs::perm_options::add);
  EXPECT_EQ(scan({folder_.string()}).plugins().size(), 0u);
  SearchOptions options;
  options.path = {folder_.string()};
  options.trust_any_owner = true;
  ::testing::internal::CaptureStderr();
  const PluginRegistry registry = PluginRegistry::scan(options);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("any owner"));
  ASSERT_EQ(registry.plugins().size(), 1u);
  EXPECT_TRUE(registry.load(0));
}

constexpr const char* kBare = R"(attnrt_manifest: 1
plugin: {name: bare, version: 1.0.0, vendor: v, license: Apache-2.0, description: d}
abi: 1
needs: {libraries: [libnowhere.so.9]}
kernels:
  - {name: k, device: cuda, sm: [90], op: [decode], q: [bf16], kv: [bf16], head_dim: [128],
     block_size: [16], layout: [nhd], group: [4], features: [causal]}
)";

TEST_F(Registry, BareManifestsCanBePlannedForAndNotRun) {
  support::write_bytes(folder_ / "bare.yaml", kBare);
  support::write_bytes(folder_ / "broken.yaml", "kernels: [");
  support::write_bytes(folder_ / "huge.yaml", std::string(70000, '#'));
  ASSERT_EQ(::mkfifo((folder_ / "fifo.yaml").c_str(), 0600), 0);
  SearchOptions options;
  options.path = {folder_ / "absent"};
  options.manifests = {folder_.string()};
  const PluginRegistry registry = PluginRegistry::scan(options);
  ASSERT_THAT(names_of(registry), ElementsAre("bare"));
  EXPECT_FALSE(registry.plugins()[0].has_code);
  EXPECT_THAT(registry.plugins()[0].missing_libraries, IsEmpty()) << "it is for another machine";
  EXPECT_EQ(kinds_of(registry),
            (std::map<std::string, RefusalKind>{{"broken.yaml", RefusalKind::kManifestText},
                                                {"huge.yaml", RefusalKind::kManifestText},
                                                {"fifo.yaml", RefusalKind::kNotRegularFile}}));
  const auto loaded = registry.load(0);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kPluginRefused);
  EXPECT_THAT(loaded.error().found, HasSubstr("bare manifest"));
}

TEST_F(Registry, LoadingIsIdempotentAndAnIndexBeyondTheEndIsAnError) {
  install("good");
  const PluginRegistry registry = scan({folder_.string()});
  const auto first = registry.load(0);
  const auto second = registry.load(0);
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  EXPECT_EQ(first->table, second->table);
  EXPECT_EQ(first->name, "fixture_good");
  const auto beyond = registry.load(1);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, ErrorCode::kInvalid);
}

TEST_F(Registry, TheEnvironmentIsSearchedBeforeTheDefault) {
  install("good");
  ASSERT_EQ(::setenv("ATTNRT_PLUGIN_PATH", folder_.string().c_str(), 1), 0);
  const PluginRegistry registry = PluginRegistry::scan({});
  ::unsetenv("ATTNRT_PLUGIN_PATH");
  EXPECT_THAT(registry.searched(),
              ElementsAre(folder_.string(), std::string(ATTNRT_BINARY_DIR) + "/plugins"));
  EXPECT_EQ(registry.plugins().at(0).path, folder_ / "good.so");
}

TEST_F(Registry, ALoadErrorNamesThePlugin) {
  install("throws_entry");
  const PluginRegistry registry = scan({folder_.string()});
  const auto loaded = registry.load(0);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().where, folder_ / "throws_entry.so");
}

}  // namespace
}  // namespace attnrt
