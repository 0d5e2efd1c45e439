// Measured profiles as files: written, read back, and refused with a place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "attnrt/profile.hpp"
#include "tests/config/fixture.hpp"

namespace attnrt {
namespace {

using testing::HasSubstr;

Profile profile() {
  Profile p;
  p.device = {.kind = DeviceKind::kCpu, .ordinal = 0, .cpu_features = {"avx2", "fma"}};
  p.machine = "Some \"CPU\"";
  p.threads = 2;
  p.entries = {{{.head_dim = {128, 128}, .group = 4},
                3,
                {{"cpu", "0.1.0", "attend", 1.25}, {"reference", "0.1.0", "plain", 40}}},
               {{.op = Op::kPrefill,
                 .query_tokens = 0,
                 .q = DType::kF16,
                 .kv = Format::kFp8E4m3,
                 .cache = CacheKind::kLatent,
                 .head_dim = {576, 512},
                 .group = 128},
                1,
                {{"cpu", "0.1.0", "attend_latent", 0.001}}}};
  return p;
}

TEST(ProfileFile, WhatIsWrittenIsReadBack) {
  const Profile written = profile();
  const auto read = parse_profile(to_json_text(written), "p.json");
  ASSERT_TRUE(read.ok()) << to_string(read.error());
  EXPECT_EQ(read->origin, "p.json");
  EXPECT_TRUE(measured_on(*read, written.device)) << "whatever its ordinal";
  EXPECT_EQ(read->machine, written.machine);
  EXPECT_EQ(read->threads, 2);
  ASSERT_EQ(read->entries.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read->entries[i].shape, written.entries[i].shape);
    EXPECT_EQ(read->entries[i].shapes, written.entries[i].shapes);
    ASSERT_EQ(read->entries[i].kernels.size(), written.entries[i].kernels.size());
    EXPECT_EQ(read->entries[i].kernels[0].kernel, written.entries[i].kernels[0].kernel);
    EXPECT_EQ(read->entries[i].kernels[0].ms, written.entries[i].kernels[0].ms);
  }
}

TEST(ProfileFile, EmptyProfilesAreProfiles) {
  Profile p = profile();
  p.entries.clear();
  p.machine.clear();
  EXPECT_TRUE(parse_profile(to_json_text(p), "p.json").ok());
}

struct Bad {
  const char* name;
  const char* from;  // in a profile that is right …
  const char* to;    // … replaced by this
  const char* message;
  friend std::ostream& operator<<(std::ostream& out, const Bad& bad) { return out << bad.name; }
};

class RefusedProfile : public testing::TestWithParam<Bad> {};

TEST_P(RefusedProfile, SaysWhereAndWhat) {
  std::string text = to_json_text(profile());
  const std::string from = GetParam().from;
  ASSERT_NE(text.find(from), std::string::npos);
  text.replace(text.find(from), from.size(), GetParam().to);
  const auto read = parse_profile(text, "p.json");
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(to_string(read.error()), HasSubstr(GetParam().message));
  EXPECT_THAT(read.error().where, testing::StartsWith("p.json"));
}

const Bad kBad[] = {
    {"version", "\"attnrt_profile\": 1", "\"attnrt_profile\": 2",
     "p.json:2:21: expected attnrt_profile: 1, found '2'"},
    {"no_version", "\"attnrt_profile\": 1,", "", "expected the version of a measured profile"},
    {"unknown_key", "\"threads\"", "\"treads\"", "expected a key of a profile"},
    {"device", "cpu:avx2+fma", "cpu:avx3", "expected a CPU feature"},
    {"bare_device", "cpu:avx2+fma", "cpu", "expected the CPU's features"},
    {"op", "\"decode\"", "\"append\"", "expected op: decode or prefill"},
    {"format", "\"bf16\",\n      \"kv\": \"bf16\"", "\"bf16\",\n      \"kv\": \"fp8\"",
     "expected the canonical name of a KV format"},
    {"dtype", "\"q\": \"bf16\"", "\"q\": \"int3\"", "expected"},
    {"head_dim", "128,\n        128", "128", "expected a head size"},
    {"group", "\"group\": 4", "\"group\": 0", "expected an integer from 1"},
    {"ms", "1.25", "0", "expected milliseconds above 0"},
    {"negative_ms", "1.25", "-1", "expected a number from 0"},
    {"no_ms", ",\n          \"ms\": 1.25", "", "expected a measured kernel with ms"},
    {"kernel_twice",
     "\"reference\",\n          \"version\": \"0.1.0\",\n          \"kernel\": \"plain\"",
     "\"cpu\",\n          \"version\": \"0.1.0\",\n          \"kernel\": \"attend\"",
     "expected each kernel once"},
    {"not_closed", "\"ms\": 0.001", "\"ms\": 0.001, [", "p.json:"},
    {"no_text", "Some", "So\x01me", "expected a measured profile in UTF-8"},
};
INSTANTIATE_TEST_SUITE_P(All, RefusedProfile, testing::ValuesIn(kBad),
                         [](const auto& p) { return p.param.name; });

TEST(ProfileFile, OtherFilesAreNotTakenForOne) {
  for (const char* text : {"", "[]", "word", "model: {geometry: smollm2-135m}"}) {
    EXPECT_FALSE(parse_profile(text, "p.json").ok()) << text;
  }
}

TEST(ProfileFile, AClassStandsOnce) {
  Profile p = profile();
  p.entries[1] = p.entries[0];
  const auto read = parse_profile(to_json_text(p), "p.json");
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(to_string(read.error()), HasSubstr("each shape class once"));
}

// A run's YAML names a profile, seen from its own folder.
class ProfileOfARun : public testing::Test {
 protected:
  void SetUp() override {
    // CTest runs each test as a process of its own, several at once.
    folder_ = std::filesystem::temp_directory_path() /
              ("attnrt_profile_of_a_run_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Result<RunFile> run(const Profile& p) {
    std::ofstream(folder_ / "p.json") << to_json_text(p);
    ConfigContext context = test::bare_context();
    context.host.cpu_name = "Some \"CPU\"";
    return parse_config(test::with("plugins: {profile: p.json}"), folder_ / "run.yaml", context);
  }
  std::filesystem::path folder_;
};

TEST_F(ProfileOfARun, BecomesPartOfThePolicy) {
  const auto file = run(profile());
  ASSERT_TRUE(file.ok()) << to_string(file.error());
  const Policy policy = file->runs[0].plugins.policy_for(DeviceKind::kCpu);
  ASSERT_NE(policy.profile, nullptr);
  EXPECT_EQ(policy.profile->entries.size(), 2u);
}

TEST_F(ProfileOfARun, OfAnotherDeviceIsRefused) {
  Profile p = profile();
  p.device.cpu_features = {"avx2"};
  const auto file = run(p);
  ASSERT_FALSE(file.ok());
  EXPECT_THAT(to_string(file.error()),
              HasSubstr("p.json: expected a profile of cpu:avx2+fma, found one of cpu:avx2"));
}

TEST_F(ProfileOfARun, OfAnotherMachineIsRefused) {
  Profile p = profile();
  p.machine = "Another CPU";
  const auto file = run(p);
  ASSERT_FALSE(file.ok());
  EXPECT_THAT(to_string(file.error()), HasSubstr("found one of 'Another CPU'"));
}

TEST_F(ProfileOfARun, ThatIsNotThereIsAnError) {
  const auto file = test::parse(test::with("plugins: {profile: none.json}"));
  ASSERT_FALSE(file.ok());
  EXPECT_THAT(to_string(file.error()), HasSubstr("/etc/runs/none.json"));
}

}  // namespace
}  // namespace attnrt
