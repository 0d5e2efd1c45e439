#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

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

// Two kinds of layers fail, a third is skipped already: one way out names all of them.
const char kFails[] = R"(
model:
  dtype: bf16
  layer: {q_heads: 4, kv_heads: 2, head_dim: 64}
  layers: [{window: 8}, {}, {softcap: 30}, {}]
device: cpu
kv_cache: {format: turboquant_4bit_nc, skip_layers: [0]}
)";

TEST(CliPlan, SkippingIsAWayOutOfTheSameShapeAndWorksWhenPutBack) {
  const test::Folder folder;
  const Json refused = planned({folder.file("a.yaml", kFails)}, 3);
  ASSERT_FALSE(refused["layers"].empty());
  for (const Json& layer : refused["layers"]) {
    ASSERT_FALSE(layer["alternatives"].empty());
    std::set<std::string> ways;
    for (const Json& way : layer["alternatives"]) {
      EXPECT_EQ(way.size(), 3u) << way;
      EXPECT_TRUE(way["change"].is_object());
      EXPECT_TRUE(way["chosen"]["plugin"].is_string()) << way;
      EXPECT_TRUE(way["kv_bytes_per_token"].is_number_integer()) << way;
      for (const auto& [key, value] : way["change"].items()) ways.insert(key);
    }
    ASSERT_EQ(ways.count("skip_layers"), 1u);
    const Json& skip = layer["alternatives"].back();
    EXPECT_EQ(skip["change"]["skip_layers"], Json({0, 1, 2, 3}));
    EXPECT_EQ(skip["kv_bytes_per_token"], 2 * 2 * 64 * 2);
    std::string mended = kFails;
    mended.replace(mended.find("[0]"), 3, skip["change"]["skip_layers"].dump());
    const Json served = planned({folder.file("b.yaml", mended)}, 0);
    for (const Json& now : served["layers"]) {
      if (now["index"] != layer["index"] || now["op"] != layer["op"]) continue;
      EXPECT_EQ(now["chosen"], skip["chosen"]);
    }
  }
}

TEST(CliPlan, SkippingIsNotNamedWhereThePlanWouldFailStill) {
  const test::Folder folder;
  std::string yaml = kFails;
  yaml += "request: {features: [graph]}\n";  // no backend here has it, in any format
  const test::Ran ran = test::attnrt({"plan", folder.file("a.yaml", yaml), "--json"});
  ASSERT_EQ(ran.code, 3) << ran.err;
  EXPECT_THAT(ran.out, testing::Not(HasSubstr("skip_layers")));
}

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(CliPlan, OpsThatFailAlikeAreRefusedOnceTogether) {
  const test::Folder folder;
  const test::Ran ran = test::attnrt({"plan", folder.file("a.yaml", kFails)});
  ASSERT_EQ(ran.code, 3);
  EXPECT_EQ(count(ran.out, "nothing can serve layer"), 2u) << "once for each kind of layer";
  EXPECT_THAT(ran.out, HasSubstr("layers 1, 3: append, prefill, decode on cpu"));
  EXPECT_EQ(count(ran.out, "skip_layers: [\"0-3\"]"), 1u);
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
  EXPECT_THAT(ran.err, HasSubstr("a.yaml:3:20: expected a plugin that was found"));
  EXPECT_THAT(ran.err, HasSubstr("found 'nope'"));
}

TEST(CliPlan, OracleThatIsNoPluginIsUsage) {
  const test::Folder folder;
  const std::string file = folder.file("a.yaml", kGemma + "verify: {against: referense}\n");
  for (const char* command : {"plan", "run"}) {
    const test::Ran ran = test::attnrt({command, file});
    EXPECT_EQ(ran.code, 2) << command;
    EXPECT_THAT(ran.err, HasSubstr(file + ":3:19: expected a plugin that was found"));
    EXPECT_THAT(ran.err, HasSubstr("found 'referense'; nearest: 'reference'"));
  }
}

TEST(CliPlan, OfSeveralRunsTheWrongOneIsNamed) {
  const test::Folder folder;
  const test::Ran ran = test::attnrt(
      {"plan", folder.file("a.yaml", kGemma + "runs:\n  - name: fine\n"
                                              "  - name: wrong\n    plugins: {prefer: [nope]}\n")});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("a.yaml:6:24: run 'wrong': expected a plugin that was found"));
}

TEST(CliPlan, NamesReachNobodyRaw) {
  const test::Folder folder;
  const std::string file =
      folder.file("a.yaml",
                  "runs:\n  - {name: \"a\\e[2J\\u009bb\", model: {geometry: gemma-3-270m, name: "
                  "\"m\\nx\\x7f\"}}\n  - {name: b, model: {geometry: gemma-3-270m}}\n");
  const test::Ran people = test::attnrt({"plan", file});
  ASSERT_EQ(people.code, 0) << people.err;
  EXPECT_THAT(people.out, HasSubstr("== a\\x1b[2J\\xc2\\x9bb\n"));
  EXPECT_THAT(people.out, HasSubstr("m\\nx\\x7f on cpu"));
  const test::Ran json = test::attnrt({"plan", file, "--json"});
  for (const char* raw : {"\x1b", "\xc2", "\x7f"}) {
    EXPECT_EQ(people.out.find(raw), std::string::npos);
    EXPECT_EQ(json.out.find(raw), std::string::npos);
  }
  EXPECT_EQ(Json::parse(json.out)["runs"][0]["name"],
            "a\x1b[2J\xc2\x9b"
            "b");
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
