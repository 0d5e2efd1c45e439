#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/tools/ran.hpp"

namespace attnrt {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

const std::string kGemma = "model: {geometry: gemma-3-270m}\nrequest: {q: f32}\n";

Json planned(const std::vector<std::string>& args, int code) {
  std::vector<std::string> all{"plan", "--json"};
  all.insert(all.end(), args.begin(), args.end());
  const test::Ran ran = test::attnrt(all);
  EXPECT_EQ(ran.code, code) << ran.err;
  return Json::parse(ran.out);
}

TEST(CliPlan, HoldsADecisionForEveryLayerAndOp) {
  const test::Folder folder;
  const Json json = planned({folder.file("a.yaml", kGemma + "device: cpu\n")}, 0);
  EXPECT_EQ(json["model"], "gemma-3-270m");
  EXPECT_EQ(json["resolved"]["kv"]["auto"], "bf16");
  std::map<int, std::vector<std::string>> ops;
  for (const Json& layer : json["layers"]) {
    ops[layer["index"].get<int>()].push_back(layer["op"]);
    EXPECT_EQ(layer["kv"], "bf16");
    EXPECT_TRUE(layer["block_size"].is_number_integer());
    EXPECT_TRUE(layer["layout"].is_string());
    EXPECT_TRUE(layer["chosen"]["plugin"].is_string());
    EXPECT_FALSE(layer["candidates"].empty());
  }
  EXPECT_EQ(ops.size(), 18u);
  for (const auto& [index, list] : ops) {
    EXPECT_THAT(list, testing::IsSupersetOf({"append", "prefill", "decode"})) << index;
  }
  EXPECT_EQ(json["groups"].size(), 2u) << "full and sliding layers";
  EXPECT_EQ(json["kv_bytes_per_token"], 18 * 2 * 256 * 2);
}

TEST(CliPlan, SkippedLayersKeepTheirFormat) {
  const test::Folder folder;
  const Json json = planned(
      {folder.file("a.yaml", kGemma + "kv_cache: {format: fp8, skip_layers: [sliding_window]}\n")},
      0);
  for (const Json& layer : json["layers"]) {
    const bool full = layer["index"].get<int>() % 6 == 5;
    EXPECT_EQ(layer["kv"], full ? "fp8_e4m3" : "bf16") << layer["index"];
    EXPECT_EQ(layer["request"]["kv"], full ? "fp8" : "auto");
  }
  EXPECT_EQ(json["resolved"]["kv"], Json({{"auto", "bf16"}, {"fp8", "fp8_e4m3"}}));
}

TEST(CliPlan, RefusalNamesLayersRulesAndWays) {
  const test::Folder folder;
  const std::string file =
      folder.file("a.yaml", kGemma + "kv_cache: {format: turboquant_4bit_nc}\n");
  const Json json = planned({file}, 3);
  EXPECT_EQ(json["served"], false);
  EXPECT_TRUE(json["kv_bytes_per_token"].is_null());
  ASSERT_FALSE(json["layers"].empty());
  EXPECT_TRUE(json["layers"][0]["chosen"].is_null());
  EXPECT_FALSE(json["layers"][0]["candidates"].empty());
  EXPECT_FALSE(json["layers"][0]["alternatives"].empty());
  const test::Ran people = test::attnrt({"plan", file});
  EXPECT_EQ(people.code, 3);
  EXPECT_THAT(people.out, HasSubstr("nothing can serve layer"));
  EXPECT_THAT(people.out, HasSubstr("turboquant_4bit_nc"));
}

TEST(CliPlan, AnyDeviceIsPlannedForFromAnyMachine) {
  const test::Folder folder;
  const std::string file = folder.file(
      "a.yaml", "model: {geometry: llama-3.1-8b}\ndevice: cpu\nkv_cache: {format: fp8}\n");
  const Json json = planned({file, "--device", "cuda:sm_90", "--manifests", test::kManifests}, 0);
  EXPECT_EQ(json["device"], "cuda:sm_90");
  EXPECT_EQ(json["layers"][0]["request"]["device"], "cuda:sm_90");
  for (const Json& layer : json["layers"]) EXPECT_EQ(layer["chosen"]["plugin"], "flash_attn");
  const test::Ran wrong = test::attnrt({"plan", file, "--device", "cuda:sm_1"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("--device: expected"));
}

TEST(CliPlan, SeveralRunsAreAList) {
  const test::Folder folder;
  const Json json =
      planned({folder.file("a.yaml", kGemma + "kv_cache: {format: [f16, f32]}\n")}, 0);
  ASSERT_EQ(json["runs"].size(), 2u);
  EXPECT_EQ(json["runs"][1]["name"], "gemma-3-270m f32");
}

TEST(CliPlan, PolicyThatNamesNoPluginIsUsage) {
  const test::Folder folder;
  const test::Ran ran =
      test::attnrt({"plan", folder.file("a.yaml", kGemma + "plugins: {require: nope}\n")});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("'nope'"));
}

TEST(CliPlan, ForcedBackendThatCannotServeIsRefused) {
  const test::Folder folder;
  const test::Ran ran =
      test::attnrt({"plan", folder.file("a.yaml", kGemma + "plugins: {require: hpc_attn}\n"),
                    "--manifests", test::kManifests});
  EXPECT_EQ(ran.code, 3) << ran.err;
}

TEST(CliPlan, PeopleReadOneRowAGroup) {
  const test::Folder folder;
  const test::Ran ran = test::attnrt({"plan", folder.file("a.yaml", kGemma)});
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, HasSubstr("window 512"));
  EXPECT_THAT(ran.out, HasSubstr("5, 11, 17"));
  EXPECT_THAT(ran.out, HasSubstr("auto = bf16"));
  EXPECT_THAT(ran.out, HasSubstr("KV bytes a token"));
}

}  // namespace
}  // namespace attnrt
