// cuDNN itself, asked about devices that are not there: it says no to what the manifest leaves out.
#include "plugins/cudnn/graph.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <attnrt/plugin/error.hpp>

#include "plugins/cudnn/device_properties.hpp"
#include "plugins/cudnn/support.hpp"

namespace attnrt::cudnn {
namespace {

using testing::HasSubstr;

class CudnnGraph : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      why_unsupported(kLayer, kBatch, 90);
    } catch (const PluginError& e) {
      GTEST_SKIP() << e.what();
    }
  }
  static constexpr LayerShape kLayer{false, false, true, true, 0, 32, 8, 128, 128, 16, 0.0883F};
  static constexpr BatchShape kBatch{8, 512, 64};
};

TEST_F(CudnnGraph, HasPlansOnEveryListedSm) {
  for (const int32_t sm : kSms) {
    EXPECT_EQ(why_unsupported(kLayer, kBatch, sm), "") << sm;
    EXPECT_EQ(why_unsupported(kLayer, {8, 1, 64}, sm), "") << sm;
  }
}

TEST_F(CudnnGraph, HasNoneForBlocksThatAreNoPowerOf2) {
  for (const int32_t block : {3, 12, 24, 48, 96}) {
    LayerShape layer = kLayer;
    layer.block_size = block;
    EXPECT_THAT(why_unsupported(layer, kBatch, 90), HasSubstr("power of 2")) << block;
    EXPECT_THAT(why_unsupported(layer, {8, 1, 64}, 90), HasSubstr("power of 2")) << block;
  }
}

TEST_F(CudnnGraph, HasNoneForHeadsOfOddSize) {
  for (const int32_t dim : {60, 100, 132}) {
    LayerShape layer = kLayer;
    layer.dim_qk = layer.dim_v = dim;
    EXPECT_THAT(why_unsupported(layer, kBatch, 90), HasSubstr("multiple of")) << dim;
  }
}

TEST_F(CudnnGraph, HasNoneForGroupsThatAreNotWhole) {
  LayerShape layer = kLayer;
  layer.q_heads = 30;
  EXPECT_NE(why_unsupported(layer, kBatch, 90), "");
}

TEST(CudnnDevices, AreThoseThatTheManifestMayList) {
  for (const int32_t sm : kSms) {
    EXPECT_THAT(device_properties(sm), HasSubstr("\"deviceVer\": " + std::to_string(10 * sm)));
  }
  EXPECT_THROW(device_properties(75), PluginError);
}

}  // namespace
}  // namespace attnrt::cudnn
