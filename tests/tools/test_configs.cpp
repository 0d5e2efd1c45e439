// Every shipped configuration works as it is: all are planned, the small ones are run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "attnrt/format.hpp"
#include "tests/tools/ran.hpp"

namespace attnrt {
namespace {

namespace fs = std::filesystem;

const fs::path kConfigs = fs::path(ATTNRT_SOURCE_DIR) / "configs";

std::vector<std::string> runs_under(const fs::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const fs::path relative = fs::relative(entry.path(), kConfigs);
    const bool other = *relative.begin() == "models" || *relative.begin() == "bench";
    if (other || entry.path().extension() != ".yaml") continue;
    files.push_back(relative.string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

class Planned : public testing::TestWithParam<std::string> {};
TEST_P(Planned, EveryLayerIsServed) {
  const test::Ran ran = test::attnrt({"plan", (kConfigs / GetParam()).string()});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
}
INSTANTIATE_TEST_SUITE_P(Configs, Planned, testing::ValuesIn(runs_under(kConfigs)), test_name);

// The quickstarts are whole models: tools/quickstart.sh runs them.
std::vector<std::string> small_runs() {
  std::vector<std::string> files = runs_under(kConfigs);
  std::erase_if(files, [](const std::string& f) { return f.rfind("quickstart", 0) == 0; });
  return files;
}

class Executed : public testing::TestWithParam<std::string> {};
TEST_P(Executed, RunsAndIsVerified) {
  const test::Ran ran = test::attnrt({"run", (kConfigs / GetParam()).string()});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
}
INSTANTIATE_TEST_SUITE_P(Configs, Executed, testing::ValuesIn(small_runs()), test_name);

TEST(Configs, ThereIsOneForEveryFormatWhoseBytesAreKnown) {
  for (const FormatInfo& format : all_formats()) {
    if (!format.byte_layout_known) continue;
    EXPECT_TRUE(fs::exists(kConfigs / "formats" / (std::string(format.name) + ".yaml")))
        << format.name;
  }
}

TEST(Configs, MixedPlanHasTwoBackends) {
  if (!fs::exists(std::string(ATTNRT_BINARY_DIR) + "/plugins/cpu.so")) {
    GTEST_SKIP() << "without the cpu plugin there is only one backend";
  }
  const test::Ran ran = test::attnrt({"plan", (kConfigs / "mixed-plan.yaml").string()});
  EXPECT_THAT(ran.out, testing::HasSubstr("cpu "));
  EXPECT_THAT(ran.out, testing::HasSubstr("reference "));
}

}  // namespace
}  // namespace attnrt
