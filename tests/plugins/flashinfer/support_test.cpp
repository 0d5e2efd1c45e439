// The dispatch table and the manifest say the same, and so does the check of a layer class.
#include "plugins/flashinfer/support.hpp"

#include <gtest/gtest.h>

#include <attnrt/plugin/error.hpp>
#include <set>

#include "attnrt/format.hpp"
#include "plugins/flashinfer/layer.hpp"
#include "tests/support/plugin_manifest.hpp"

namespace attnrt::flashinfer {
namespace {

class FlashInferSupport : public ::testing::Test {
 protected:
  const Manifest manifest_ = testing::read_plugin_manifest("flashinfer");
};

TEST_F(FlashInferSupport, HasTheManifestsKernels) {
  EXPECT_EQ(testing::names_of(manifest_.kernels), testing::names_of(kKernels));
  EXPECT_TRUE(manifest_.warnings.empty());
}

TEST_F(FlashInferSupport, HasItsOpsFeaturesAndTypes) {
  for (const KernelSupport& k : kKernels) {
    const KernelManifest& m = testing::kernel_of(manifest_, k.name);
    EXPECT_EQ(m.ops.bits(), k.ops) << k.name;
    EXPECT_EQ(m.features.bits(), k.features) << k.name;
    if (k.ops == kDecodeOps) {
      EXPECT_EQ(m.max_query_tokens, kDecodeTokens) << k.name;
    }
    for (int32_t d = ATTNRT_DTYPE_F64; d <= ATTNRT_DTYPE_FP8_E4M3FNUZ; ++d) {
      EXPECT_EQ(m.q.contains(static_cast<DType>(d)), d == k.q_dtype) << k.name << ' ' << d;
      EXPECT_EQ(m.out.contains(static_cast<DType>(d)), d == k.q_dtype) << k.name << ' ' << d;
    }
  }
}

TEST_F(FlashInferSupport, HasItsFormatsHeadsAndBlocks) {
  for (const KernelSupport& k : kKernels) {
    const KernelManifest& m = testing::kernel_of(manifest_, k.name);
    std::set<std::string_view> formats;
    for (const NamedFormat& f : k.formats) formats.insert(f.name);
    for (int f = 0; f < kFormatCount; ++f) {
      const auto format = static_cast<attnrt::Format>(f);
      EXPECT_EQ(m.kv.contains(format), formats.contains(name(format))) << name(format);
    }
    for (int32_t dim = 1; dim <= 1024; ++dim) {
      EXPECT_EQ(m.head_dim.contains({dim, dim}), k.head_dims.contains(dim)) << k.name << dim;
    }
    EXPECT_FALSE(m.head_dim.contains({192, 128}));
    for (int32_t n = 0; n <= 512; ++n) {
      EXPECT_EQ(m.block_size.contains(n), k.block_sizes.contains(n)) << k.name << n;
      EXPECT_EQ(m.group.contains(n), k.groups.contains(n)) << k.name << n;
    }
    for (const auto& rows : {m.tensors, m.pages}) {
      EXPECT_TRUE(rows.contains(Strides::kPacked)) << k.name;
      EXPECT_EQ(rows.contains(Strides::kStrided), k.strided) << k.name;
    }
    EXPECT_EQ(m.alignment, kAlignment) << k.name;
    EXPECT_TRUE(m.cache.contains(CacheKind::kSeparate));
    EXPECT_FALSE(m.cache.contains(CacheKind::kLatent));
  }
}

// wgmma is 90a's alone, and XQA's fences are not those of 121.
TEST_F(FlashInferSupport, ListsHopperAndXqaWhereTheyWereCompiled) {
  const auto sms_of = [&](std::string_view kernel) {
    const auto& sms = testing::kernel_of(manifest_, kernel).sm;
    return std::set<int32_t>(sms.begin(), sms.end());
  };
  EXPECT_EQ(sms_of("prefill_hopper"), (std::set<int32_t>{90}));
  EXPECT_EQ(sms_of("decode_xqa"), (std::set<int32_t>{90, 100, 103, 120}));
}

attnrt_layer_class listed_class() {
  attnrt_layer_class c{};
  c.struct_size = sizeof c;
  c.op = ATTNRT_OP_DECODE;
  c.q_heads = 32;
  c.kv_heads = 8;
  c.head_dim_qk = c.head_dim_v = 128;
  c.q_dtype = c.out_dtype = ATTNRT_DTYPE_BF16;
  c.cache_format = "fp8_e4m3";
  c.block_size = 16;
  c.layout = ATTNRT_LAYOUT_NHD;
  c.cache_kind = ATTNRT_CACHE_SEPARATE;
  c.features = ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_GRAPH;
  return c;
}

TEST(FlashInferLayer, TakesWhatIsListed) {
  const Layer layer = make_layer("decode", listed_class());
  EXPECT_EQ(layer.kernel.stored, Stored::kE4m3);
  EXPECT_EQ(layer.group, 4);
  EXPECT_TRUE(layer.decode);
  EXPECT_TRUE(layer.graph);
  EXPECT_FLOAT_EQ(layer.softmax_scale, 0.08838835F);
  EXPECT_EQ(layer.path, Path::kFa2);
  attnrt_layer_class c = listed_class();
  c.features |= ATTNRT_FEATURE_SINKS;
  const Layer xqa = make_layer("decode_xqa", c);
  EXPECT_EQ(xqa.path, Path::kXqa);
  EXPECT_TRUE(xqa.sinks);
}

TEST(FlashInferLayer, RefusesWhatIsNot) {
  const auto expect_refused = [](const char* kernel, auto change) {
    attnrt_layer_class c = listed_class();
    change(c);
    try {
      make_layer(kernel, c);
      ADD_FAILURE() << kernel;
    } catch (const PluginError& e) {
      EXPECT_EQ(e.status(), ATTNRT_UNSUPPORTED) << e.what();
    }
  };
  using Class = attnrt_layer_class;
  expect_refused("append", [](Class&) {});
  expect_refused("prefill", [](Class&) {});  // op decode
  expect_refused("decode", [](Class& c) { c.cache_format = "f16"; });
  expect_refused("decode", [](Class& c) { c.out_dtype = ATTNRT_DTYPE_F32; });
  expect_refused("decode", [](Class& c) { c.head_dim_v = 64; });
  expect_refused("decode", [](Class& c) { c.features |= ATTNRT_FEATURE_SINKS; });
  expect_refused("decode", [](Class& c) { c.features = ATTNRT_FEATURE_NON_CAUSAL; });
  expect_refused("decode", [](Class& c) { c.block_size = 512; });
  expect_refused("decode", [](Class& c) { c.block_size = 0; });
  expect_refused("decode", [](Class& c) { c.q_heads = 8 * 129; });
  expect_refused("decode_xqa", [](Class& c) { c.q_heads = 8 * 5; });
  expect_refused("decode_xqa", [](Class& c) { c.block_size = 48; });
  expect_refused("decode_xqa", [](Class& c) { c.cache_format = "bf16"; });
  expect_refused("decode_xqa", [](Class& c) { c.head_dim_qk = c.head_dim_v = 64; });
  expect_refused("decode_xqa", [](Class& c) { c.features |= ATTNRT_FEATURE_LSE; });
  const auto hopper = [&](auto change) {
    expect_refused("prefill_hopper", [&](Class& c) {
      c.op = ATTNRT_OP_PREFILL;
      c.cache_format = "bf16";
      c.features = ATTNRT_FEATURE_CAUSAL;
      change(c);
    });
  };
  hopper([](Class& c) { c.op = ATTNRT_OP_MIXED; });
  hopper([](Class& c) { c.cache_format = "fp8_e4m3"; });
  hopper([](Class& c) { c.head_dim_qk = c.head_dim_v = 256; });
  hopper([](Class& c) { c.features |= ATTNRT_FEATURE_GRAPH; });
  hopper([](Class& c) { c.features |= ATTNRT_FEATURE_WINDOW, c.window = 8; });
}

}  // namespace
}  // namespace attnrt::flashinfer
