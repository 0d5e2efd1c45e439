// Layers that can't be served: every reason, and ways out that work for the whole layer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "select/compiled.hpp"
#include "tests/select/catalogs.hpp"

namespace attnrt {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> texts(const Refusal& refusal) {
  std::vector<std::string> all;
  for (const Alternative& a : refusal.alternatives) {
    std::string text;
    for (const auto& [key, value] : a.change) text += (text.empty() ? "" : " ") + key + "=" + value;
    all.push_back(text);
  }
  return all;
}

std::vector<Refusal> refused(const ModelGeometry& m, const PlanOptions& options,
                             const Catalog& catalog, const Device& device = test::cpu()) {
  Result<PlanOutcome> outcome = plan(m, device, options, catalog);
  EXPECT_TRUE(outcome.ok());
  if (!outcome.ok()) return {};
  EXPECT_FALSE(outcome->plan);
  EXPECT_FALSE(outcome->refusals.empty());
  return outcome->refusals;
}

PlanOptions with_format(const char* spelling) {
  PlanOptions options;
  options.kv_cache.format = *parse_spelling(spelling);
  return options;
}

TEST(PlanRefusals, NameTheOpThatFailsWithEveryKernelsReasons) {
  KernelManifest no_decode = test::kernel("no_decode");
  no_decode.ops = {Op::kAppend, Op::kPrefill};
  KernelManifest decode = test::kernel("decode");
  decode.ops = {Op::kDecode};
  decode.head_dim.pairs = {{64, 64}};
  const std::vector<Refusal> r =
      refused(test::model({test::layer(), test::layer(), test::layer()}), {},
              test::catalog({test::plugin("p", {no_decode, decode})}));
  ASSERT_THAT(r, SizeIs(1));
  EXPECT_EQ(r[0].op, Op::kDecode);
  EXPECT_EQ(r[0].layer, 0);
  EXPECT_THAT(r[0].also_layers, ElementsAre(1, 2));
  ASSERT_THAT(r[0].candidates, SizeIs(2));
  EXPECT_EQ(r[0].candidates[0].failed, bit(Rule::kOp));
  EXPECT_EQ(r[0].candidates[1].failed, bit(Rule::kHeadDim));
  EXPECT_THAT(r[0].alternatives, IsEmpty());
  EXPECT_FALSE(r[0].skipping);
}

TEST(PlanRefusals, EveryOpThatFailsIsNamed) {
  const std::vector<Refusal> r = refused(test::model({test::layer()}), with_format("fp8_e5m2"),
                                         test::catalog({test::plugin("p", {test::kernel("k")})}));
  ASSERT_THAT(r, SizeIs(3));
  EXPECT_EQ(r[0].op, Op::kAppend);
  EXPECT_EQ(r[2].op, Op::kDecode);
  for (const Refusal& refusal : r) {
    EXPECT_EQ(refusal.candidates[0].failed, bit(Rule::kKv));
    EXPECT_EQ(refusal.spelling, "fp8_e5m2");
    EXPECT_THAT(texts(refusal), ElementsAre("kv=bf16"));
  }
}

TEST(PlanRefusals, AnAlternativeServesEveryOpOfTheLayer) {
  // decode also knows fp8_e4m3 and f16, but nobody appends fp8_e4m3.
  KernelManifest decode = test::kernel("decode"), rest = test::kernel("rest");
  decode.ops = {Op::kDecode};
  decode.kv = {Format::kFp8E4m3, Format::kF16};
  rest.ops = {Op::kAppend, Op::kPrefill};
  rest.kv = {Format::kBf16, Format::kF16};
  const std::vector<Refusal> r =
      refused(test::model({test::layer()}), {}, test::catalog({test::plugin("p", {decode, rest})}));
  ASSERT_THAT(r, SizeIs(1));
  EXPECT_EQ(r[0].op, Op::kDecode);
  EXPECT_THAT(texts(r[0]), ElementsAre("kv=f16"));
}

TEST(PlanRefusals, OpsThatCannotAgreeAreRefusedThoughEachCouldBeServed) {
  KernelManifest append = test::kernel("append"), rest = test::kernel("rest");
  append.ops = {Op::kAppend};
  append.block_size.values = {32};
  rest.ops = {Op::kPrefill, Op::kDecode};
  rest.block_size.values = {16};
  const std::vector<Refusal> r =
      refused(test::model({test::layer()}), {}, test::catalog({test::plugin("p", {append, rest})}));
  ASSERT_THAT(r, SizeIs(1));
  EXPECT_EQ(r[0].op, Op::kAppend);
  EXPECT_EQ(r[0].request.block_size, 16);
  EXPECT_EQ(r[0].candidates[0].failed, bit(Rule::kBlockSize));
}

TEST(PlanRefusals, SkippingTheLayerIsOneMoreWay) {
  // fp8 has no window kernel; auto has.
  KernelManifest fp8 = test::kernel("fp8"), plain = test::kernel("plain");
  fp8.kv = {Format::kFp8E4m3};
  plain.features.insert(Feature::kWindow);
  const Catalog catalog = test::catalog({test::plugin("p", {fp8, plain})});
  LayerGeometry local = test::layer();
  local.window = 128;
  const ModelGeometry m = test::model({test::layer(), local, test::layer(), local});
  PlanOptions options = with_format("fp8");
  const std::vector<Refusal> r = refused(m, options, catalog);
  ASSERT_FALSE(r.empty());
  EXPECT_EQ(r.back().layer, 1);
  EXPECT_THAT(r.back().also_layers, ElementsAre(3));
  ASSERT_TRUE(r.back().skipping);
  const SkipAlternative& way = *r.back().skipping;
  EXPECT_THAT(way.layers, ElementsAre(1, 3));
  EXPECT_EQ(way.request.kv, Format::kBf16);
  EXPECT_EQ(way.kernel, 1u);
  EXPECT_EQ(way.kv_bytes_per_token, kv_bytes_per_token(way.request));
  options.kv_cache.skip_layers = {*parse_layer_selector("1"), *parse_layer_selector("3")};
  EXPECT_TRUE(plan(m, test::cpu(), options, catalog)->plan);
}

TEST(PlanRefusals, SkippingNamesAllThatFailAndAllThatWereSkipped) {
  // fp8 has neither a window nor a soft cap; bf16 has both.
  KernelManifest fp8 = test::kernel("fp8"), plain = test::kernel("plain");
  fp8.kv = {Format::kFp8E4m3};
  plain.features.insert(Feature::kWindow);
  plain.features.insert(Feature::kSoftcap);
  const Catalog catalog = test::catalog({test::plugin("p", {fp8, plain})});
  LayerGeometry local = test::layer(), capped = test::layer();
  local.window = 128;
  capped.softcap = 30;
  const ModelGeometry m = test::model({test::layer(), local, capped, test::layer()});
  PlanOptions options = with_format("fp8");
  options.kv_cache.skip_layers = {*parse_layer_selector("0")};
  const std::vector<Refusal> r = refused(m, options, catalog);
  ASSERT_THAT(r, SizeIs(4)) << "two classes; appending is served";
  for (const Refusal& refusal : r) {
    ASSERT_TRUE(refusal.skipping);
    EXPECT_THAT(refusal.skipping->layers, ElementsAre(0, 1, 2));
  }
  options.kv_cache.skip_layers = {*parse_layer_selector("0-2")};
  EXPECT_TRUE(plan(m, test::cpu(), options, catalog)->plan);
}

TEST(PlanRefusals, SkippingIsNotNamedWhereTheWholePlanWouldStillFail) {
  // The window would be served in bf16, the soft cap in nothing.
  KernelManifest fp8 = test::kernel("fp8"), plain = test::kernel("plain");
  fp8.kv = {Format::kFp8E4m3};
  plain.features.insert(Feature::kWindow);
  const Catalog catalog = test::catalog({test::plugin("p", {fp8, plain})});
  LayerGeometry local = test::layer(), capped = test::layer();
  local.window = 128;
  capped.softcap = 30;
  const ModelGeometry m = test::model({test::layer(), local, capped});
  for (const Refusal& refusal : refused(m, with_format("fp8"), catalog)) {
    EXPECT_FALSE(refusal.skipping) << refusal.layer;
  }
}

TEST(PlanRefusals, AnAlternativeTakesNothingFromOtherLayers) {
  // Layer 0 is served in fp8 on SM 90 only; layer 1 (wide) would be on SM 100.
  LayerGeometry wide = test::layer();
  wide.head_dim = {256, 256};
  KernelManifest narrow = test::cuda_kernel("narrow", {90});
  narrow.kv = {Format::kFp8E4m3};
  KernelManifest other = test::cuda_kernel("wide", {100});
  other.head_dim.pairs = {{256, 256}};
  other.kv = {Format::kFp8E4m3};
  const Catalog catalog = test::catalog({test::plugin("p", {narrow, other})});
  const std::vector<Refusal> r =
      refused(test::model({test::layer(), wide}), with_format("fp8"), catalog, test::cuda(90));
  for (const Refusal& refusal : r) {
    EXPECT_EQ(refusal.layer, 1);
    EXPECT_THAT(refusal.alternatives, IsEmpty());
  }
}

TEST(PlanRefusals, AlternativesWorkWhenPutBack) {
  KernelManifest k = test::kernel("k");
  k.kv = {Format::kFp8E4m3, Format::kBf16};
  k.block_size.values = {32, 64};
  k.layout = {Layout::kHnd};
  KernelManifest gpu = test::cuda_kernel("gpu", {90});
  gpu.kv = {Format::kNvfp4Swizzled};
  const Catalog catalog = test::catalog({test::plugin("p", {k}), test::plugin("q", {gpu})});
  PlanOptions options = with_format("nvfp4");
  options.kv_cache.block_size = 16;
  options.features = {Feature::kGraph};
  const std::vector<Refusal> r = refused(test::model({test::layer()}), options, catalog);
  ASSERT_FALSE(r.empty());
  ASSERT_FALSE(r[0].alternatives.empty());
  for (const Alternative& a : r[0].alternatives) {
    PlanOptions changed = options;
    Device device = test::cpu();
    for (const auto& [key, value] : a.change) {
      if (key == "kv") changed.kv_cache.format = *parse_spelling(value);
      if (key == "layout") changed.kv_cache.layout = *parse_layout(value);
      if (key == "block_size") changed.kv_cache.block_size = std::stoi(value);
      if (key == "device") device = *parse_device(value, {});
      if (key == "features") changed.features = {};
    }
    const Result<PlanOutcome> again = plan(test::model({test::layer()}), device, changed, catalog);
    ASSERT_TRUE(again.ok());
    EXPECT_TRUE(again->plan) << texts(r[0])[0];
  }
}

TEST(PlanRefusals, AForcedPluginIsNeverReplaced) {
  KernelManifest wide = test::kernel("wide");
  wide.head_dim.pairs = {{256, 256}};
  const Catalog catalog =
      test::catalog({test::plugin("able", {test::kernel("k")}), test::plugin("forced", {wide})});
  PlanOptions options;
  options.policy.require = "forced";
  const std::vector<Refusal> r = refused(test::model({test::layer()}), options, catalog);
  EXPECT_EQ(r[0].candidates[0].failed, bit(Rule::kPolicy));
  EXPECT_EQ(r[0].candidates[1].failed, bit(Rule::kHeadDim));
  EXPECT_THAT(r[0].alternatives, IsEmpty());
}

TEST(PlanRefusals, NameThePackingThatServesEveryOpOfTheLayer) {
  KernelManifest append = test::kernel("append"), rest = test::kernel("rest");
  append.ops = {Op::kAppend};
  rest.ops = {Op::kPrefill, Op::kDecode};
  rest.pages = {Strides::kPacked};
  rest.alignment = 32;
  PlanOptions options;
  options.pages = Strides::kStrided;
  const std::vector<Refusal> r = refused(test::model({test::layer()}), options,
                                         test::catalog({test::plugin("p", {append, rest})}));
  ASSERT_THAT(r, SizeIs(2));
  EXPECT_EQ(r[0].op, Op::kPrefill);
  EXPECT_EQ(r[0].candidates[1].failed, bit(Rule::kPages) | bit(Rule::kAlignment));
  EXPECT_THAT(texts(r[0]), ElementsAre("pages=packed alignment=32"));
  EXPECT_EQ(r[0].alternatives[0].request.pages, Strides::kPacked);
  EXPECT_EQ(r[0].alternatives[0].request.alignment, 32);
}

}  // namespace
}  // namespace attnrt
