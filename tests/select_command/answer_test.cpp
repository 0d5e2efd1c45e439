// What `attnrt select` answers: exit codes, the shape of its JSON, and its text.
#include <gtest/gtest.h>

#include <set>

#include "tests/select_command/process.hpp"

namespace attnrt::select_command {
namespace {

using Json = nlohmann::json;

// Every candidate has its reasons, or none because it was accepted.
void expect_candidates(const Json& candidates) {
  ASSERT_TRUE(candidates.is_array());
  EXPECT_EQ(candidates.size(), kernels_of_today()) << "every kernel of every plugin";
  for (const Json& candidate : candidates) {
    EXPECT_TRUE(candidate.at("plugin").is_string());
    EXPECT_TRUE(candidate.at("kernel").is_string());
    EXPECT_EQ(candidate.at("accepted").get<bool>(), candidate.at("failed").empty()) << candidate;
    for (const Json& rule : candidate.at("failed")) {
      EXPECT_TRUE(rule.at("rule").is_string()) << rule;
      EXPECT_TRUE(rule.at("asked").is_string()) << rule;
      EXPECT_FALSE(rule.at("asked").get<std::string>().empty()) << rule;
      EXPECT_TRUE(rule.at("allowed").is_array()) << rule;
    }
  }
}

std::set<std::string> rules_of(const Json& answer, const std::string& plugin,
                               const std::string& kernel) {
  std::set<std::string> rules;
  for (const Json& candidate : answer.at("candidates")) {
    if (candidate.at("plugin") != plugin || candidate.at("kernel") != kernel) continue;
    for (const Json& rule : candidate.at("failed")) rules.insert(rule.at("rule"));
  }
  return rules;
}

TEST(SelectAnswer, AServedRequestExitsZeroWithTheChosenKernel) {
  const auto [code, json] = select_json("device=cuda:sm_90 kv=fp8");
  EXPECT_EQ(code, 0);
  EXPECT_EQ(json.at("chosen"), (Json{{"plugin", "flash_attn"}, {"kernel", "fa3"}}));
  EXPECT_EQ(json.at("resolved").at("kv"), "fp8_e4m3");
  EXPECT_TRUE(json.at("alternatives").empty());
  expect_candidates(json.at("candidates"));
}

TEST(SelectAnswer, EveryOptionButTheDeviceHasADefault) {
  const auto [code, json] = select_json("device=cuda:sm_90");
  EXPECT_EQ(code, 0);
  const Json& request = json.at("request");
  EXPECT_EQ(request.at("device"), "cuda:sm_90");
  EXPECT_EQ(request.at("op"), "decode");
  EXPECT_EQ(request.at("query_tokens"), 1);
  EXPECT_EQ(request.at("cache"), "separate");
  EXPECT_EQ(request.at("layout"), "nhd");
  EXPECT_EQ(request.at("features"), Json::array({"causal"}));
  EXPECT_EQ(request.at("block_size"), 16);
  EXPECT_EQ(request.at("q_heads"), 32);
  EXPECT_EQ(request.at("kv_heads"), 8);
  EXPECT_EQ(request.at("q"), "bf16");
  EXPECT_EQ(request.at("kv"), "auto");
  EXPECT_EQ(json.at("resolved").at("kv"), "bf16");
}

TEST(SelectAnswer, ARefusedRequestExitsThreeWithEveryFailedRuleOfEveryKernel) {
  const auto [code, json] = select_json("device=cuda:sm_120 kv=nvfp4 head-dim=64");
  EXPECT_EQ(code, 3);
  EXPECT_TRUE(json.at("chosen").is_null());
  expect_candidates(json.at("candidates"));
  for (const Json& candidate : json.at("candidates")) EXPECT_FALSE(candidate.at("accepted"));
  // Not the first rule only: all of them.
  EXPECT_EQ(rules_of(json, "flashinfer", "fa2_nvfp4"), (std::set<std::string>{"head_dim"}));
  EXPECT_EQ(rules_of(json, "flash_attn", "fa3"), (std::set<std::string>{"sm", "kv"}));
  EXPECT_EQ(rules_of(json, "b12x", "paged"), (std::set<std::string>{"kv", "block_size"}));
  EXPECT_EQ(rules_of(json, "cpu_attn", "f16"), (std::set<std::string>{
                                                   "device",
                                                   "q",
                                                   "kv",
                                                   "block_size",
                                               }));
}

TEST(SelectAnswer, AFailedRuleSaysWhatWasAskedAndWhatIsAllowed) {
  const auto [code, json] = select_json("device=cuda:sm_120 kv=nvfp4 head-dim=64");
  EXPECT_EQ(code, 3);
  bool found = false;
  for (const Json& candidate : json.at("candidates")) {
    if (candidate.at("plugin") != "flashinfer" || candidate.at("kernel") != "fa2_nvfp4") continue;
    found = true;
    const Json& rule = candidate.at("failed").at(0);
    EXPECT_EQ(rule.at("rule"), "head_dim");
    EXPECT_EQ(rule.at("asked").get<std::string>().rfind("64", 0), 0U) << rule;
    EXPECT_EQ(rule.at("allowed"), Json::array({"128", "256", "512"}));
  }
  EXPECT_TRUE(found);
}

TEST(SelectAnswer, ItsTextNamesEveryKernelThatWasRefused) {
  const Answer answer = select("device=cuda:sm_120 kv=nvfp4 head-dim=64");
  EXPECT_EQ(answer.code, 3);
  for (const char* word : {"flashinfer", "fa2_nvfp4", "flash_attn", "trtllm_gen_large_blocks",
                           "triton_attn", "cpu_mla", "head_dim", "nvfp4"}) {
    EXPECT_NE(answer.out.find(word), std::string::npos) << word << " in\n" << answer.out;
  }
}

TEST(SelectAnswer, SpellingsAreResolvedForTheDeviceAndTheCache) {
  struct Row {
    const char* words;
    const char* resolved;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"device=rocm:gfx942 kv=fp8", "fp8_e4m3fnuz"},
           {"device=rocm:gfx950 kv=fp8", "fp8_e4m3"},
           {"device=cuda:sm_80 q=f16 kv=auto", "f16"},
           {"device=cuda:sm_80 q=f16 kv=bfloat16", "bf16"},
           {"device=cuda:sm_120 kv=nvfp4", "nvfp4_linear"},
           {"device=cuda:sm_100 kv=nvfp4", "nvfp4_swizzled"},
           {"device=cuda:sm_90 cache=latent head-dim=576,512 q-heads=128 kv-heads=1 block=64 "
            "kv=fp8_ds_mla",
            "fp8_ds_mla_v32"}}) {
    const auto [code, json] = select_json(row.words);
    EXPECT_EQ(code, 0) << row.words;
    EXPECT_EQ(json.at("resolved").at("kv"), row.resolved) << row.words;
  }
}

// A forced backend serves, or the answer is no: never another one.
TEST(SelectAnswer, AForcedBackendIsChosenOrNothingIs) {
  const auto [served, as_asked] = select_json("device=cuda:sm_90 backend=triton_attn");
  EXPECT_EQ(served, 0);
  EXPECT_EQ(as_asked.at("chosen").at("plugin"), "triton_attn");

  const auto [code, json] = select_json("device=cuda:sm_80 kv=fp8 backend=flash_attn");
  EXPECT_EQ(code, 3);
  EXPECT_TRUE(json.at("chosen").is_null());
  EXPECT_EQ(rules_of(json, "flash_attn", "fa2"), (std::set<std::string>{"kv"}));
  EXPECT_EQ(rules_of(json, "triton_attn", "unified"), (std::set<std::string>{"policy"}));
}

TEST(SelectAnswer, TheSameQuestionGetsTheSameAnswer) {
  const std::string words = "device=cuda:sm_120 kv=nvfp4 head-dim=64 json";
  EXPECT_EQ(select(words).out, select(words).out);
}

TEST(SelectAnswer, LogsDoNotMixWithResults) {
  const Answer answer =
      run({"select", "--plugins", "/nonexistent/plugins", "--manifests",
           ATTNRT_SOURCE_DIR "/tests/data/manifests", "--device", "cuda:sm_90", "--json"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_FALSE(Json::parse(answer.out, nullptr, false).is_discarded()) << answer.out;
  EXPECT_NE(answer.err.find("/nonexistent/plugins"), std::string::npos)
      << "an absent folder is worth a warning";
}

}  // namespace
}  // namespace attnrt::select_command
