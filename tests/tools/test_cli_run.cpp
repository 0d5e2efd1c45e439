#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/tools/ran.hpp"

namespace attnrt {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

const std::string kSmall = R"(
model: {name: small, dtype: bf16, layers: [{q_heads: 4, kv_heads: 2, head_dim: 64}, {q_heads: 4, kv_heads: 2, head_dim: 64, window: 8}]}
workload: {kind: synthetic, seed: 3, lengths: [20, 5], decode_steps: 3}
verify: {against: reference, sample: 1}
)";

TEST(CliRun, ReportsErrorsSpeedAndBytesOfEveryGroup) {
  const test::Folder folder;
  const test::Ran ran = test::attnrt(
      {"run", folder.file("a.yaml", kSmall + "kv_cache: {format: [bf16, int8_per_token_head]}\n"),
       "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json json = Json::parse(ran.out);
  EXPECT_TRUE(json["failed"].empty());
  ASSERT_EQ(json["runs"].size(), 2u);
  const Json& run = json["runs"][1];
  EXPECT_EQ(run["name"], "small int8_per_token_head");
  EXPECT_EQ(run["synthetic"], true);
  EXPECT_EQ(run["tokens"], 20 + 5 + 2 * 3);
  EXPECT_EQ(run["verified"], true);
  EXPECT_TRUE(run["error_against_model"].is_null()) << "there is no model";
  EXPECT_TRUE(run["error_against_exact"].is_object());
  EXPECT_EQ(run["kv_bytes_per_token"], 2 * 2 * 2 * (64 + 4));
  ASSERT_EQ(run["groups"].size(), 2u);
  for (const Json& group : run["groups"]) {
    EXPECT_EQ(group["kv"], "int8_per_token_head");
    EXPECT_FALSE(group["backends"].empty());
    EXPECT_GT(group["decode_tokens_per_s"].get<double>(), 0);
  }
  EXPECT_EQ(run["decode_latency"]["steps"], 3);
}

TEST(CliRun, PeopleReadATableThatSaysSyntheticData) {
  const test::Folder folder;
  const test::Ran ran = test::attnrt({"run", folder.file("a.yaml", kSmall)});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("synthetic data"));
  for (const char* word : {"BACKEND", "KV FORMAT", "ERR ORACLE", "DECODE tok/s", "KV GB/s",
                           "p99 ms", "KV B/token", "auto = bf16", "window"}) {
    EXPECT_THAT(ran.out, HasSubstr(word));
  }
  EXPECT_EQ(ran.err, "") << "no bar where stderr is no terminal";
}

TEST(CliRun, WritesReportsThatNeedNothingElse) {
  const test::Folder folder;
  const std::string page = folder.path() + "/r.html", data = folder.path() + "/r.json";
  const test::Ran ran = test::attnrt(
      {"run", folder.file("a.yaml", kSmall), "--report-html", page, "--report-json", data});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(Json::parse(test::read_text(data))["runs"].size(), 1u);
  EXPECT_THAT(test::read_text(page), HasSubstr("small auto"));
  EXPECT_THAT(test::read_text(page), HasSubstr("synthetic data"));
  for (const char* outside : {"http:", "https:", "<script", "<link", "src="}) {
    EXPECT_THAT(test::read_text(page), testing::Not(HasSubstr(outside)));
  }
}

TEST(CliRun, ReportsThatCannotBeWrittenAreFoundOutBeforeTheRun) {
  const test::Folder folder;
  const std::string none = folder.path() + "/none/r.json", fine = folder.path() + "/r.html";
  const std::string plain = folder.file("a.yaml", kSmall);
  const test::Ran option =
      test::attnrt({"run", plain, "--report-html", fine, "--report-json", none});
  EXPECT_EQ(option.code, 2);
  EXPECT_EQ(option.out, "") << "nothing ran";
  EXPECT_THAT(option.err, HasSubstr("--report-json: expected a file that can be written"));
  EXPECT_THAT(option.err, HasSubstr("No such file or directory"));
  const std::string named =
      folder.file("b.yaml", kSmall + "report: {html: " + folder.path() + "}\n");
  const test::Ran configured = test::attnrt({"run", named});
  EXPECT_EQ(configured.code, 2);
  EXPECT_EQ(configured.out, "");
  EXPECT_THAT(configured.err, HasSubstr(named + ":5:16: expected a file that can be written"));
  EXPECT_THAT(configured.err, HasSubstr("a folder"));
  EXPECT_FALSE(std::filesystem::exists(fine)) << "looking makes no file";
}

TEST(CliRun, AnOptionThatAPluginRefusesIsUsage) {
  const test::Folder folder;
  const std::string file = folder.file(
      "a.yaml", kSmall + "plugins: {require: reference, options: {reference: {speed: 9}}}\n");
  const test::Ran ran = test::attnrt({"run", file});
  EXPECT_EQ(ran.code, 2) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr(file + ":5:60: "));
  EXPECT_THAT(ran.err, HasSubstr("unknown option 'speed'")) << "the plugin's own words";
  EXPECT_THAT(ran.err, HasSubstr("correct or remove plugins: options: reference: speed"));
  EXPECT_THAT(ran.err, testing::Not(HasSubstr("contract")));
}

TEST(CliRun, WithoutACacheFolderBareRecordingsAreNotLookedForHere) {
  const test::Folder folder;
  const std::string file = folder.file("a.yaml",
                                       "model: {geometry: smollm2-135m}\n"
                                       "workload: {kind: recorded, file: none.safetensors}\n");
  const auto homeless = [&](const std::string& command) {
    return test::run_program("/usr/bin/env",
                             {"-u", "HOME", "-u", "XDG_CACHE_HOME",
                              std::string(ATTNRT_BINARY_DIR) + "/bin/attnrt", command, file});
  };
  EXPECT_EQ(homeless("plan").code, 0) << "a plan needs no recording";
  const test::Ran ran = homeless("run");
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr(file + ":2:34: run 'smollm2-135m auto': expected a cache folder"));
  EXPECT_THAT(ran.err, HasSubstr("XDG_CACHE_HOME"));
}

TEST(CliRun, NothingRunsBeforeEverythingIsPlanned) {
  const test::Folder folder;
  const std::string data = folder.path() + "/r.json";
  const test::Ran ran = test::attnrt(
      {"run", folder.file("a.yaml", kSmall + "kv_cache: {format: [bf16, ultraquant_4bit]}\n"),
       "--report-json", data});
  EXPECT_EQ(ran.code, 3);
  EXPECT_THAT(ran.out, HasSubstr("nothing can serve layer"));
  EXPECT_EQ(test::read_text(data), "") << "no run, no report";
}

TEST(CliRun, RecordingThatIsNotThereIsAnError) {
  const test::Folder folder;
  const test::Ran ran =
      test::attnrt({"run", folder.file("a.yaml",
                                       "model: {geometry: smollm2-135m}\n"
                                       "workload: {kind: recorded, file: ./none.safetensors}\n")});
  EXPECT_EQ(ran.code, 2) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("none.safetensors"));
}

TEST(CliRun, ErrorsBeyondTheLimitAreFive) {
  const test::Folder folder;
  std::string yaml = kSmall;
  yaml.replace(yaml.find("sample: 1"), 9, "max_error: 1e-300");
  const test::Ran ran =
      test::attnrt({"run", folder.file("a.yaml", yaml + "plugins: {prefer: [cpu]}\n")});
  if (ran.err.find("'cpu'") != std::string::npos) GTEST_SKIP() << "without the cpu plugin";
  EXPECT_EQ(ran.code, 5) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("WRONG NUMBERS"));
}

TEST(CliRun, BareManifestsAreNeverRun) {
  const test::Folder folder, none;
  const test::Ran ran = test::attnrt({"run", folder.file("a.yaml", kSmall), "--plugins",
                                      none.path(), "--manifests", test::kManifests});
  EXPECT_EQ(ran.code, 3);
  EXPECT_THAT(ran.out, HasSubstr("plugin"));
}

}  // namespace
}  // namespace attnrt
