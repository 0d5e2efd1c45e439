// What `attnrt select` can't understand is an error with code 2 that says what it knows; stdout
// stays empty.
#include <gtest/gtest.h>

#include "tests/select_command/process.hpp"

namespace attnrt::select_command {
namespace {

struct Wrong {
  const char* words;
  std::vector<const char*> said;  // all of them in the message
};

class WrongUsage : public testing::TestWithParam<Wrong> {};

TEST_P(WrongUsage, ExitsTwoAndSaysWhatIsKnown) {
  const Answer answer = select(GetParam().words);
  EXPECT_EQ(answer.code, 2) << answer.out << answer.err;
  EXPECT_TRUE(answer.out.empty()) << answer.out;
  for (const char* said : GetParam().said) {
    EXPECT_NE(answer.err.find(said), std::string::npos) << said << " in\n" << answer.err;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Of, WrongUsage,
    testing::Values(
        // Missing and unknown options.
        Wrong{"kv=fp8", {"--device"}}, Wrong{"device=cuda:sm_90 colour=blue", {"colour"}},
        Wrong{"device=cuda:sm_90 json surplus", {"surplus"}},
        // Spellings: the known ones and the nearest.
        Wrong{"device=cuda:sm_90 kv=nvfp5", {"--kv", "nvfp5", "nvfp4", "fp8_e5m2"}},
        Wrong{"device=cuda:sm_90 kv=FP8", {"--kv", "FP8", "fp8"}},
        Wrong{"device=cuda:sm_90 kv=uint8", {"--kv", "uint8"}},
        Wrong{"device=cuda:sm_90 kv=fp8_ds_mla", {"--kv", "latent"}},
        Wrong{"device=cuda:sm_90 q=bf15", {"--q", "bf15", "bf16"}},
        Wrong{"device=cuda:sm_90 features=causal,sink", {"--features", "sink", "sinks"}},
        Wrong{"device=cuda:sm_90 features=causal,non_causal", {"causal", "non_causal"}},
        Wrong{"device=cuda:sm_90 op=decoding", {"--op", "decoding", "decode"}},
        Wrong{"device=cuda:sm_90 layout=ndh", {"--layout", "ndh", "nhd"}},
        Wrong{"device=cuda:sm_90 cache=laten", {"--cache", "laten", "latent"}},
        // Devices.
        Wrong{"device=cuda:sm_91", {"--device", "sm_91", "90"}},
        Wrong{"device=gpu", {"--device", "gpu"}},
        Wrong{"device=rocm:gfx999", {"--device", "gfx999"}},
        Wrong{"device=cpu:avx3", {"--device", "avx3", "avx2"}},
        // Numbers.
        Wrong{"device=cuda:sm_90 head-dim=abc", {"--head-dim", "abc"}},
        Wrong{"device=cuda:sm_90 head-dim=576,512,64", {"--head-dim"}},
        Wrong{"device=cuda:sm_90 head-dim=0", {"--head-dim"}},
        Wrong{"device=cuda:sm_90 head-dim=-64", {"--head-dim"}},
        Wrong{"device=cuda:sm_90 block=0", {"--block"}},
        Wrong{"device=cuda:sm_90 block=99999999999999999999", {"--block"}},
        Wrong{"device=cuda:sm_90 q-heads=30 kv-heads=8", {"30", "8"}},
        Wrong{"device=cuda:sm_90 query-tokens=0", {"--query-tokens"}},
        // A backend that nobody knows: the nearest name.
        Wrong{"device=cuda:sm_90 backend=flash_atn", {"--backend", "flash_atn", "flash_attn"}}));

TEST(WrongUsage, AnUnknownSubcommandExitsTwo) {
  EXPECT_EQ(run({"selekt", "--device", "cpu"}).code, 2);
  EXPECT_EQ(run({}).code, 2);
  EXPECT_EQ(run({"select", "--device"}).code, 2);
}

TEST(WrongUsage, HelpIsNoError) {
  const Answer answer = run({"select", "--help"});
  EXPECT_EQ(answer.code, 0);
  for (const char* option : {"--device", "--kv", "--head-dim", "--q-heads", "--kv-heads", "--block",
                             "--op", "--query-tokens", "--cache", "--layout", "--features",
                             "--backend", "--json", "--manifests", "--plugins"}) {
    const bool common = std::string_view(option) == "--json" ||
                        std::string_view(option) == "--manifests" ||
                        std::string_view(option) == "--plugins";
    const std::string text = common ? run({"--help"}).out : answer.out;
    EXPECT_NE(text.find(option), std::string::npos) << option;
  }
}

}  // namespace
}  // namespace attnrt::select_command
