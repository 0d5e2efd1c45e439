// What a real model asks, not what a generator does: SmolLM2's first layers over a text, whose keys
// have outliers in a few channels. tests/data/README.md says where the recording is from.
#include <gtest/gtest.h>

#include "tests/plugins/cpu/cpu_fixture.hpp"
#include "tests/support/tensor_file.hpp"

namespace attnrt::testing {
namespace {

constexpr int32_t kTokens = 77;

std::shared_ptr<const Recorded> layer(int index) {
  const TensorFile file(ATTNRT_SOURCE_DIR "/tests/data/smollm2-135m-2layers.safetensors");
  const std::string name = "layers." + std::to_string(index) + ".";
  return std::make_shared<Recorded>(Recorded{
      file.get<float>(name + "q"), file.get<float>(name + "k"), file.get<float>(name + "v")});
}

class RecordedModel : public ::testing::TestWithParam<const char*> {};

// Prefill, a chunk, drafts and decodes at once.
TEST_P(RecordedModel, StaysWithinTheBound) {
  for (int index = 0; index < 2; ++index) {
    for (const int32_t q : {ATTNRT_DTYPE_F32, ATTNRT_DTYPE_BF16}) {
      CpuCase c;
      c.format = GetParam();
      c.q_dtype = q;
      c.q_heads = 9;
      c.kv_heads = 3;
      c.lengths = {{kTokens, kTokens}, {20, 61}, {4, 77}, {1, 77}, {1, 40}};
      c.recorded = layer(index);
      expect_all_close(c);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, RecordedModel,
                         ::testing::Values("f32", "f16", "bf16", "fp8_e4m3", "fp8_e5m2",
                                           "fp8_e4m3fnuz", "int8_per_token_head",
                                           "fp8_per_token_head", "int4_per_token_head",
                                           "nvfp4_linear", "nvfp4_swizzled"),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace attnrt::testing
