// Plans for GPUs from the manifests of cuda and flashinfer together, on a machine that has neither
// GPU nor toolkit: one layer's ops go to both, over one cache.
#include <gtest/gtest.h>

#include "attnrt/plan.hpp"
#include "tests/support/plugin_manifest.hpp"

namespace attnrt {
namespace {

class FlashInferRoutes : public ::testing::Test {
 protected:
  FlashInferRoutes() : catalog_(entries()) {
    layer_.q_heads = 32;
    layer_.kv_heads = 8;
    layer_.head_dim = {128, 128};
    options_.runnable = false;
    options_.policy.prefer = {"flashinfer"};
    options_.decode_query_tokens = 4;  // which flashinfer does not list
  }

  // The plugin of each op, "prefill/kernel", or a refusal's op.
  std::string route(Op op, int32_t sm = 90) const {
    ModelGeometry model;
    model.name = "one layer";
    model.dtype = dtype_;
    model.layers = {layer_};
    Device device;
    device.kind = DeviceKind::kCuda;
    device.sm = sm;
    const auto outcome = plan(model, device, options_, catalog_);
    if (!outcome.ok()) return to_string(outcome.error());
    if (!outcome->plan) return "refused";
    const OpDecision* d = outcome->plan->layers[0].find(op);
    if (d == nullptr) return "none";
    const Manifest& m = catalog_.entries()[d->plugin].manifest;
    return m.name + "/" + m.kernels[d->kernel].name;
  }
  void set_format(const std::string& text) {
    const auto spelling = parse_spelling(text);
    ASSERT_TRUE(spelling.ok());
    options_.kv_cache.format = *spelling;
  }

  LayerGeometry layer_;
  PlanOptions options_;
  DType dtype_ = DType::kBf16;

 private:
  static std::vector<CatalogEntry> entries() {
    std::vector<CatalogEntry> all(2);
    all[0].manifest = testing::read_plugin_manifest("cuda");
    all[1].manifest = testing::read_plugin_manifest("flashinfer");
    return all;
  }
  const Catalog catalog_;
};

TEST_F(FlashInferRoutes, GiveOneLayersOpsToBothOverOneCache) {
  for (const char* format : {"bf16", "fp8_e4m3", "fp8_e5m2"}) {
    set_format(format);
    for (const int32_t sm : {80, 86, 89, 90, 100, 103, 120, 121}) {
      EXPECT_EQ(route(Op::kAppend, sm), "cuda/attend") << format << ' ' << sm;
      const bool hopper = sm == 90 && format == std::string("bf16");
      EXPECT_EQ(route(Op::kPrefill, sm),
                hopper ? "flashinfer/prefill_hopper" : "flashinfer/prefill")
          << format << ' ' << sm;
      EXPECT_EQ(route(Op::kDecode, sm), "cuda/attend") << format << ' ' << sm;
    }
  }
}

TEST_F(FlashInferRoutes, GoByTheQuerysType) {
  dtype_ = DType::kF16;
  EXPECT_EQ(route(Op::kPrefill), "flashinfer/prefill_f16");
  set_format("fp8_e4m3");
  EXPECT_EQ(route(Op::kPrefill), "flashinfer/prefill_f16");
  set_format("fp8_e5m2");  // not compiled for f16
  EXPECT_EQ(route(Op::kPrefill), "cuda/attend_f16");
}

TEST_F(FlashInferRoutes, LeaveToCudaWhatFlashInferHasNotHere) {
  set_format("int8_per_token_head");
  EXPECT_EQ(route(Op::kPrefill), "cuda/attend");
  set_format("nvfp4_linear");
  EXPECT_EQ(route(Op::kPrefill, 120), "cuda/attend_nvfp4");
  set_format("bf16");
  layer_.head_dim = {512, 512};
  EXPECT_EQ(route(Op::kPrefill), "cuda/attend");
  layer_.head_dim = {128, 128};
  layer_.sinks = true;
  EXPECT_EQ(route(Op::kPrefill), "cuda/attend");
}

TEST_F(FlashInferRoutes, TakeDecodeWhereThePolicyWantsIt) {
  options_.decode_query_tokens = 1;
  EXPECT_EQ(route(Op::kDecode), "flashinfer/decode");
  EXPECT_EQ(route(Op::kAppend), "cuda/attend");
}

TEST_F(FlashInferRoutes, TakeXqaForDecodeOverFp8WhereItWasCompiled) {
  options_.decode_query_tokens = 1;
  set_format("fp8_e4m3");
  for (const int32_t sm : {90, 100, 103, 120}) {
    EXPECT_EQ(route(Op::kDecode, sm), "flashinfer/decode_xqa") << sm;
  }
  for (const int32_t sm : {80, 89, 121}) EXPECT_EQ(route(Op::kDecode, sm), "flashinfer/decode");
  layer_.q_heads = 40;  // a group of 5
  EXPECT_EQ(route(Op::kDecode), "flashinfer/decode");
  layer_.q_heads = 64;
  EXPECT_EQ(route(Op::kDecode), "flashinfer/decode_xqa");
  layer_.sinks = true;
  EXPECT_EQ(route(Op::kDecode), "flashinfer/decode_xqa");
  EXPECT_EQ(route(Op::kPrefill), "cuda/attend");
}

TEST_F(FlashInferRoutes, LeaveHopperWhatItDoesNotList) {
  EXPECT_EQ(route(Op::kPrefill), "flashinfer/prefill_hopper");
  layer_.softcap = 30;
  EXPECT_EQ(route(Op::kPrefill), "flashinfer/prefill");
  layer_.softcap = 0;
  layer_.window = 1024;
  EXPECT_EQ(route(Op::kPrefill), "flashinfer/prefill");
  layer_.window = 0;
  layer_.head_dim = {64, 64};
  EXPECT_EQ(route(Op::kPrefill), "flashinfer/prefill");
}

TEST_F(FlashInferRoutes, LeaveXqaRowsThatAreNotPacked) {
  options_.decode_query_tokens = 1;
  set_format("fp8_e4m3");
  options_.pages = Strides::kStrided;
  EXPECT_EQ(route(Op::kDecode), "flashinfer/decode");
  options_.pages = Strides::kPacked;
  options_.tensors = Strides::kStrided;
  EXPECT_EQ(route(Op::kDecode), "flashinfer/decode");
  set_format("bf16");
  options_.pages = Strides::kStrided;
  EXPECT_EQ(route(Op::kPrefill), "flashinfer/prefill_hopper");
  options_.alignment = 8;
  EXPECT_EQ(route(Op::kPrefill), "cuda/attend");
}

// Until it has been seen on a GPU.
TEST_F(FlashInferRoutes, TakeCudaWhereThePolicyWantsNothing) {
  options_.policy.prefer = {};
  options_.decode_query_tokens = 1;
  EXPECT_EQ(route(Op::kPrefill), "cuda/attend");
  EXPECT_EQ(route(Op::kDecode), "cuda/attend");
}

}  // namespace
}  // namespace attnrt
