// The code's table and the manifest that cuDNN wrote say the same.
#include "plugins/cudnn/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "attnrt/format.hpp"
#include "plugins/cudnn/layer.hpp"
#include "tests/support/plugin_manifest.hpp"

namespace attnrt::cudnn {
namespace {

using ::testing::HasSubstr;

template <class List>
bool has(const List& list, int32_t value) {
  return std::count(list.begin(), list.end(), value) != 0;
}

TEST(CudnnSupport, IsTheManifests) {
  const Manifest manifest = attnrt::testing::read_plugin_manifest("cudnn");
  EXPECT_TRUE(manifest.warnings.empty());
  ASSERT_EQ(manifest.kernels.size(), kKernels.size());
  for (const KernelSupport& k : kKernels) {
    const KernelManifest& m = attnrt::testing::kernel_of(manifest, k.name);
    EXPECT_EQ(m.ops.bits(), 1U << k.op) << k.name;
    EXPECT_EQ(m.features.bits(), kFeatures) << k.name;
    EXPECT_EQ(m.max_query_tokens, 1) << k.name;
    for (int32_t d = ATTNRT_DTYPE_F64; d <= ATTNRT_DTYPE_FP8_E4M3FNUZ; ++d) {
      EXPECT_EQ(m.q.contains(static_cast<DType>(d)), d == k.dtype) << k.name << ' ' << d;
    }
    for (int f = 0; f < kFormatCount; ++f) {
      const auto format = static_cast<Format>(f);
      EXPECT_EQ(m.kv.contains(format), name(format) == format_name(k.dtype)) << name(format);
    }
    for (int32_t n = 1; n <= 1024; ++n) {
      EXPECT_EQ(m.head_dim.contains({n, n}), has(kHeadDims, n)) << k.name << ' ' << n;
      EXPECT_EQ(m.block_size.contains(n), has(kBlockSizes, n)) << k.name << ' ' << n;
      EXPECT_EQ(m.group.contains(n), n <= kMaxGroup) << k.name << ' ' << n;
    }
    EXPECT_EQ(m.tensors, EnumSet<Strides>{Strides::kPacked}) << k.name;
    EXPECT_EQ(m.pages, EnumSet<Strides>{Strides::kPacked}) << k.name;
    EXPECT_EQ(m.alignment, kAlignment) << k.name;
    EXPECT_FALSE(m.cache.contains(CacheKind::kLatent));
  }
}

class CudnnLayer : public ::testing::Test {
 protected:
  CudnnLayer() {
    c_.struct_size = sizeof c_;
    c_.op = ATTNRT_OP_DECODE;
    c_.q_heads = 32;
    c_.kv_heads = 8;
    c_.head_dim_qk = c_.head_dim_v = 128;
    c_.q_dtype = c_.out_dtype = ATTNRT_DTYPE_BF16;
    c_.cache_format = "bf16";
    c_.block_size = 16;
    c_.layout = ATTNRT_LAYOUT_HND;
    c_.cache_kind = ATTNRT_CACHE_SEPARATE;
  }
  std::string refusal(std::string_view kernel = "decode") const {
    try {
      make_layer(kernel, c_);
    } catch (const PluginError& e) {
      EXPECT_EQ(e.status(), ATTNRT_UNSUPPORTED);
      return e.what();
    }
    return {};
  }
  attnrt_layer_class c_{};
};

TEST_F(CudnnLayer, BecomesAShape) {
  const LayerShape s = make_layer("decode", c_).shape;
  EXPECT_TRUE(s.causal && s.hnd && !s.f16 && !s.lse);
  EXPECT_FLOAT_EQ(s.softmax_scale, 0.088388346F);
}

TEST_F(CudnnLayer, RefusesWhatIsNotListed) {
  EXPECT_EQ(refusal(), "");
  EXPECT_THAT(refusal("append"), HasSubstr("not in the manifest"));
  EXPECT_THAT(refusal("prefill"), HasSubstr("op"));
  EXPECT_THAT(refusal("decode_f16"), HasSubstr("q_dtype"));
  c_.block_size = 48;
  EXPECT_THAT(refusal(), HasSubstr("block_size is 48"));
  c_.block_size = 16;
  c_.head_dim_v = 64;
  EXPECT_THAT(refusal(), HasSubstr("head_dim is [128, 64]"));
  c_.head_dim_v = 128;
  c_.features = ATTNRT_FEATURE_SOFTCAP;
  EXPECT_THAT(refusal(), HasSubstr("features"));
  c_.features = 0;
  c_.cache_format = "fp8_e4m3";
  EXPECT_THAT(refusal(), HasSubstr("cache_format is fp8_e4m3"));
}

}  // namespace
}  // namespace attnrt::cudnn
