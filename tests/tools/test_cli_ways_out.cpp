// The ways out that a refusal names, put back as options of a new process, work: over the bare
// manifests of today's backends, for refusals of every kind.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/tools/ran.hpp"

namespace attnrt {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

class WaysOut : public testing::TestWithParam<std::string> {
 protected:
  // attnrt select over no plugin and today's manifests; `code` is expected.
  Json select(const Words& options, int code) {
    Words args{"select", "--json", "--plugins", none_.path(), "--manifests", test::kManifests};
    args.insert(args.end(), options.begin(), options.end());
    const test::Ran ran = test::attnrt(args);
    EXPECT_EQ(ran.code, code) << ran.out << ran.err;
    Json json = Json::parse(ran.out, nullptr, false);
    EXPECT_TRUE(json.is_object()) << ran.out << ran.err;
    return json;
  }
  test::Folder none_;
};

Words split(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

// The same options with new values where the change has some.
Words with_change(Words options, const Json& change) {
  static const std::set<std::string> kKeys{"kv",       "layout",  "block_size", "device",
                                           "features", "tensors", "pages",      "alignment"};
  for (const auto& [key, value] : change.items()) {
    EXPECT_EQ(kKeys.count(key), 1U) << key << " is a fact of the model, or no key of a request";
    const std::string option = key == "block_size" ? "--block" : "--" + key;
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    const auto at = std::find(options.begin(), options.end(), option);
    if (at != options.end()) {
      *(at + 1) = text;
    } else {
      options.insert(options.end(), {option, text});
    }
  }
  return options;
}

TEST_P(WaysOut, WorkWhenPutBackAsOptions) {
  const Words options = split(GetParam());
  const Json refused = select(options, 3);
  ASSERT_TRUE(refused.contains("alternatives"));
  EXPECT_TRUE(refused["chosen"].is_null());
  const Json& all = refused["alternatives"];
  ASSERT_FALSE(all.empty());
  EXPECT_LE(all.size(), 8U);
  size_t keys = 1;
  std::set<std::string> seen;
  for (const Json& way : all) {
    EXPECT_GE(way["change"].size(), keys) << "fewest keys first: " << way;
    keys = way["change"].size();
    EXPECT_TRUE(seen.insert(way["change"].dump()).second) << "named twice: " << way;
    const Json served = select(with_change(options, way["change"]), 0);
    EXPECT_EQ(served["chosen"], way["chosen"]) << way;
    EXPECT_EQ(served["kv_bytes_per_token"], way["kv_bytes_per_token"]) << way;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Of, WaysOut,
    testing::Values(
        "--device cuda:sm_121 --kv nvfp4 --head-dim 64",
        "--device cuda:sm_90 --kv nvfp4 --head-dim 64 --block 64 --op prefill",
        "--device cuda:sm_75 --kv nvfp4_4over6 --q f16",
        "--device cuda:sm_90 --kv fp8_e5m2 --features sinks --head-dim 24 --backend flash_attn",
        "--device cuda:sm_100 --kv turboquant_k8v4 --features prefix_lm",
        "--device cuda:sm_90 --block 24", "--device cpu --block 16",
        "--device cpu:avx2 --kv int8_per_token_head", "--device xpu --block 16",
        "--device rocm:gfx942 --kv nvfp4", "--device rocm:gfx1100 --kv int4_per_token_head",
        "--device rocm:gfx1201 --kv fp8 --backend rocm_aiter_fa",
        "--device cuda:sm_90 --features causal,batch_invariant,lse --backend flashinfer",
        "--device cuda:sm_90 --features graph --op mixed",
        "--device cuda:sm_100 --cache latent --head-dim 576,512 --q-heads 128 --kv-heads 1 "
        "--kv int8_per_token_head",
        "--device cuda:sm_90 --head-dim 192,128 --kv fp8_e5m2 --layout hnd"),
    [](const auto& tested) { return "Request" + std::to_string(tested.index); });

// Facts of the model don't change: where they are the obstacle, there is no way out.
TEST_F(WaysOut, AreNoneWhereTheModelItselfStandsInTheWay) {
  EXPECT_TRUE(select({"--device", "cuda:sm_90", "--head-dim", "2000"}, 3)["alternatives"].empty());
  EXPECT_TRUE(
      select({"--device", "cpu", "--backend", "cpu_attn", "--features", "sinks"}, 3)["alternatives"]
          .empty());
}

}  // namespace
}  // namespace attnrt
