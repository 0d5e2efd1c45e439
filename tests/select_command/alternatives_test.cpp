// The ways out that a refusal names, put back as options, work.
#include <gtest/gtest.h>

#include <set>

#include "tests/select_command/process.hpp"

namespace attnrt::select_command {
namespace {

using Json = nlohmann::json;

// What a refused request was asked with, as words; a change replaces the words of its keys.
std::string with_change(const std::string& words, const Json& change) {
  static const std::set<std::string> kKeys{"kv", "layout", "block_size", "device", "features"};
  std::string changed;
  std::istringstream in(words);
  for (std::string word; in >> word;) {
    std::string key = word.substr(0, word.find('='));
    if (key == "block") key = "block_size";
    if (!change.contains(key)) changed += word + " ";
  }
  for (const auto& [key, value] : change.items()) {
    EXPECT_TRUE(kKeys.count(key)) << key << " is a fact of the model or no option";
    const std::string option = key == "block_size" ? "block" : key;
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    changed += option + "=" + text + " ";
  }
  return changed;
}

class Alternatives : public testing::TestWithParam<std::string> {};

TEST_P(Alternatives, WorkWhenPutBackAsOptions) {
  const auto [code, json] = select_json(GetParam());
  ASSERT_EQ(code, 3);
  const Json& all = json.at("alternatives");
  ASSERT_FALSE(all.empty());
  EXPECT_LE(all.size(), 8U);
  size_t keys = 1;
  std::set<std::string> seen;
  for (const Json& alternative : all) {
    const Json& change = alternative.at("change");
    ASSERT_FALSE(change.empty());
    EXPECT_GE(change.size(), keys) << "fewest keys first";
    keys = change.size();
    EXPECT_TRUE(seen.insert(change.dump()).second) << "named twice: " << change;
    EXPECT_TRUE(alternative.at("kv_bytes_per_token").is_number());

    const std::string words = with_change(GetParam(), change);
    const auto [again, answer] = select_json(words);
    EXPECT_EQ(again, 0) << words;
    EXPECT_EQ(answer.at("chosen"), alternative.at("chosen")) << words;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Of, Alternatives,
    testing::Values(
        "device=cuda:sm_120 kv=nvfp4 head-dim=64", "device=cuda:sm_121 kv=nvfp4 head-dim=64",
        "device=cuda:sm_90 kv=nvfp4 head-dim=64 block=64 op=prefill",
        "device=cuda:sm_80 kv=fp8_ds_mla_v32 cache=latent head-dim=576,512 q-heads=128 kv-heads=1",
        "device=cuda:sm_75 kv=nvfp4_4over6 q=f16",
        "device=cuda:sm_90 kv=fp8_e5m2 features=sinks head-dim=24",
        "device=cuda:sm_100 kv=turboquant_k8v4 features=prefix_lm", "device=cuda:sm_90 block=24",
        "device=cuda:sm_90 block=8 kv=fp8", "device=cpu kv=int8_per_token_head",
        "device=cpu block=16", "device=xpu block=16", "device=rocm:gfx942 kv=nvfp4",
        "device=rocm:gfx1100 kv=int4_per_token_head", "device=cuda:sm_80 kv=fp8 backend=flash_attn",
        "device=cuda:sm_90 features=causal,batch_invariant,sinks backend=flashinfer",
        "device=cuda:sm_90 features=graph",
        "device=cuda:sm_90 head-dim=512 backend=flash_attn kv=nvfp4",
        "device=cuda:sm_100 cache=latent head-dim=576,512 q-heads=128 kv-heads=1 "
        "kv=int8_per_token_head",
        "device=cuda:sm_90 head-dim=192,128 kv=fp8_e5m2 layout=hnd"));

TEST(AlternativesOrder, PutsTheNearestFormatFirst) {
  const auto [code, json] = select_json("device=cuda:sm_120 kv=nvfp4 head-dim=64");
  ASSERT_EQ(code, 3);
  double last = 0;
  for (const Json& alternative : json.at("alternatives")) {
    const Json& change = alternative.at("change");
    if (change.size() != 1 || !change.contains("kv")) continue;
    const double bytes = alternative.at("kv_bytes_per_token");
    // 8 KV heads of 64 in NVFP4: 2 * 8 * (32 + 4) bytes; every other format is larger.
    const double distance = std::abs(bytes - 576);
    EXPECT_GE(distance, last) << change;
    last = distance;
  }
  EXPECT_GT(last, 0) << "no other format was named";
}

// What no change can mend has no alternatives, and says so with code 3 all the same.
TEST(AlternativesOrder, AreEmptyWhereTheModelItselfIsTooMuch) {
  const auto [code, json] = select_json("device=cuda:sm_90 head-dim=2000");
  EXPECT_EQ(code, 3);
  EXPECT_TRUE(json.at("alternatives").empty());
}

}  // namespace
}  // namespace attnrt::select_command
