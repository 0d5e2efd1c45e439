// Plans: agreement of the ops of a layer, one pool for all, and preferences in their order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/select/catalogs.hpp"

namespace attnrt {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// One kernel for one op, with a score.
KernelManifest one(Op op, int32_t score = 0) {
  KernelManifest k = test::kernel(std::string(name(op)));
  k.ops = {op};
  k.score = score;
  return k;
}

PlanOutcome planned(const ModelGeometry& m, const PlanOptions& options, const Catalog& catalog,
                    const Device& device = test::cpu()) {
  Result<PlanOutcome> outcome = plan(m, device, options, catalog);
  EXPECT_TRUE(outcome.ok()) << (outcome.ok() ? "" : to_string(outcome.error()));
  if (!outcome.ok()) return {};
  return *std::move(outcome);
}

std::string plugin_of(const LayerPlan& layer, Op op, const Catalog& catalog) {
  const OpDecision* d = layer.find(op);
  return d == nullptr ? "none" : catalog.entries()[d->plugin].manifest.name;
}

TEST(Plan, OneKernelServesAll) {
  const Catalog catalog = test::catalog({test::plugin("p", {test::kernel("k")})});
  const PlanOutcome outcome = planned(test::model({test::layer(), test::layer()}), {}, catalog);
  ASSERT_TRUE(outcome.plan);
  EXPECT_THAT(outcome.refusals, IsEmpty());
  const Plan& p = *outcome.plan;
  ASSERT_THAT(p.layers, SizeIs(2));
  EXPECT_THAT(p.layers[1].ops, SizeIs(3));
  EXPECT_EQ(p.layers[1].index, 1);
  EXPECT_EQ(p.layers[0].kv, Format::kBf16);
  EXPECT_EQ(p.layers[0].spelling, "auto");
  ASSERT_THAT(p.groups, SizeIs(1));
  EXPECT_THAT(p.groups[0].layers, ElementsAre(0, 1));
  EXPECT_EQ(p.pool_page_bytes, 16 * 8 * 2 * 256);
  EXPECT_EQ(p.kv_bytes_per_token, 2 * 8 * 2 * 256);
  EXPECT_EQ(p.padding_bytes_per_token, 0);
}

TEST(Plan, TheOpsOfALayerAgreeThoughEachWouldChooseOtherwise) {
  // Alone, append would take layout hnd (90), decode nhd (90); only the low kernels agree.
  KernelManifest append_high = one(Op::kAppend, 90), append_low = one(Op::kAppend, 10),
                 decode_high = one(Op::kDecode, 90), decode_low = one(Op::kDecode, 30);
  append_high.name = "append_high";
  append_high.layout = {Layout::kHnd};
  decode_high.name = "decode_high";
  decode_low.layout = {Layout::kHnd};
  KernelManifest prefill = one(Op::kPrefill);
  prefill.layout = {Layout::kHnd, Layout::kNhd};
  const Catalog catalog = test::catalog(
      {test::plugin("p", {append_high, append_low, decode_high, decode_low, prefill})});
  const PlanOutcome outcome = planned(test::model({test::layer()}), {}, catalog);
  ASSERT_TRUE(outcome.plan);
  // hnd: 90 + 30 = 120; nhd: 10 + 90 = 100.
  EXPECT_EQ(outcome.plan->layers[0].layout, Layout::kHnd);
}

TEST(Plan, AutoTakesTheBlockSizeThatAllShare) {
  KernelManifest append = one(Op::kAppend), prefill = one(Op::kPrefill), decode = one(Op::kDecode);
  append.block_size = {{}, {{1, 1, 1024}}};
  prefill.block_size = {{}, {{16, 16, 1024}}};
  decode.block_size.values = {8, 24, 48, 64};
  const Catalog catalog = test::catalog({test::plugin("p", {append, prefill, decode})});
  const PlanOutcome outcome = planned(test::model({test::layer()}), {}, catalog);
  ASSERT_TRUE(outcome.plan);
  EXPECT_EQ(outcome.plan->layers[0].block_size, 48);
  PlanOptions fixed;
  fixed.kv_cache.block_size = 64;
  EXPECT_EQ(planned(test::model({test::layer()}), fixed, catalog).plan->layers[0].block_size, 64);
  fixed.kv_cache.block_size = 32;
  EXPECT_FALSE(planned(test::model({test::layer()}), fixed, catalog).plan);
}

TEST(Plan, SkippedLayersShareThePoolWithoutPadding) {
  KernelManifest k = test::kernel("k");
  k.kv = {Format::kBf16, Format::kFp8E4m3};
  k.block_size.values = {16, 32, 64};
  k.features.insert(Feature::kWindow);
  const Catalog catalog = test::catalog({test::plugin("p", {k})});
  LayerGeometry local = test::layer();
  local.window = 512;
  PlanOptions options;
  options.kv_cache.format = *parse_spelling("fp8");
  options.kv_cache.skip_layers = {*parse_layer_selector("sliding_window")};
  const PlanOutcome outcome =
      planned(test::model({local, local, test::layer(), local}), options, catalog);
  ASSERT_TRUE(outcome.plan);
  const Plan& p = *outcome.plan;
  EXPECT_EQ(p.layers[0].kv, Format::kBf16);
  EXPECT_EQ(p.layers[0].spelling, "auto");
  EXPECT_EQ(p.layers[2].kv, Format::kFp8E4m3);
  EXPECT_EQ(p.layers[2].spelling, "fp8");
  EXPECT_EQ(p.layers[0].block_size, 16);
  EXPECT_EQ(p.layers[2].block_size, 32);
  EXPECT_EQ(p.padding_bytes_per_token, 0);
  ASSERT_THAT(p.groups, SizeIs(2));
  EXPECT_THAT(p.groups[0].layers, ElementsAre(0, 1, 3));
  EXPECT_EQ(p.groups[0].window, 512);
  EXPECT_EQ(p.groups[0].page_bytes, p.groups[1].page_bytes);
  EXPECT_EQ(p.kv_bytes_per_token, 3 * 4096 + 2048);
}

TEST(Plan, PagesOfTwoSizesShareThePoolWithoutPadding) {
  KernelManifest k = test::kernel("k");
  k.kv = {Format::kBf16, Format::kFp8E4m3};
  const Catalog catalog = test::catalog({test::plugin("p", {k})});
  PlanOptions options;
  options.kv_cache.format = *parse_spelling("fp8");
  options.kv_cache.skip_layers = {{LayerSelector::Kind::kRange, 0, 0}};
  const PlanOutcome outcome =
      planned(test::model({test::layer(), test::layer()}), options, catalog);
  ASSERT_TRUE(outcome.plan);
  EXPECT_EQ(outcome.plan->pool_page_bytes, 16 * 4096);
  EXPECT_EQ(outcome.plan->kv_bytes_per_token, 4096 + 2048);
  EXPECT_EQ(outcome.plan->padding_bytes_per_token, 0);
}

TEST(Plan, PaddingIsCountedWhereItCannotBeAvoided) {
  KernelManifest k = test::kernel("k");
  k.kv = {Format::kInt8PerTokenHead};
  k.block_size.values = {1};
  const Catalog catalog = test::catalog({test::plugin("p", {k})});
  PlanOptions options;
  options.kv_cache.format = *parse_spelling("int8_per_token_head");
  LayerGeometry g = test::layer();
  g.q_heads = 4;
  g.kv_heads = 1;
  const PlanOutcome outcome = planned(test::model({g, g}), options, catalog);
  ASSERT_TRUE(outcome.plan);
  const int64_t page = 2 * (g.head_dim.qk + 4);  // 128 + 4 bytes a row: no multiple of 64
  EXPECT_EQ(outcome.plan->groups[0].page_bytes, page);
  EXPECT_EQ(outcome.plan->kv_bytes_per_token, 2 * 320);
  EXPECT_EQ(outcome.plan->padding_bytes_per_token, 2 * (320 - page));
}

TEST(Plan, PolicyGoesBeforeScores) {
  KernelManifest low = test::kernel("low"), high = test::kernel("high");
  high.score = 90;
  const Catalog catalog = test::catalog({test::plugin("high", {high}), test::plugin("low", {low})});
  PlanOptions options;
  const ModelGeometry m = test::model({test::layer()});
  EXPECT_EQ(plugin_of(planned(m, options, catalog).plan->layers[0], Op::kDecode, catalog), "high");
  options.policy.prefer = {"low"};
  EXPECT_EQ(plugin_of(planned(m, options, catalog).plan->layers[0], Op::kDecode, catalog), "low");
  options.policy = {"low", {}, {}};
  EXPECT_EQ(plugin_of(planned(m, options, catalog).plan->layers[0], Op::kAppend, catalog), "low");
}

TEST(Plan, FewerPluginsWinATie) {
  // b serves everything; a (first by name) only decode; equal scores.
  const Catalog catalog = test::catalog(
      {test::plugin("a", {one(Op::kDecode)}), test::plugin("b", {test::kernel("k")})});
  const PlanOutcome outcome = planned(test::model({test::layer()}), {}, catalog);
  for (const OpDecision& d : outcome.plan->layers[0].ops) EXPECT_EQ(d.plugin, 1u);
}

TEST(Plan, FewerPluginsWinOverTheWholeModel) {
  // Layer 0 can be served by a or b, layer 1 by b only.
  LayerGeometry wide = test::layer();
  wide.head_dim = {256, 256};
  KernelManifest both = test::kernel("both");
  both.head_dim.pairs = {{128, 128}, {256, 256}};
  const Catalog catalog =
      test::catalog({test::plugin("a", {test::kernel("k")}), test::plugin("b", {both})});
  const PlanOutcome outcome = planned(test::model({test::layer(), wide}), {}, catalog);
  EXPECT_EQ(plugin_of(outcome.plan->layers[0], Op::kDecode, catalog), "b");
}

TEST(Plan, MixedIsPlannedWhereAKernelIsAsGoodAsTheTwo) {
  KernelManifest mixed = one(Op::kMixed, 0);
  const ModelGeometry m = test::model({test::layer()});
  const Catalog equal = test::catalog({test::plugin("p", {test::kernel("k"), mixed})});
  EXPECT_NE(planned(m, {}, equal).plan->layers[0].find(Op::kMixed), nullptr);
  KernelManifest fast = test::kernel("fast");
  fast.score = 50;
  const Catalog slow = test::catalog({test::plugin("p", {fast, mixed})});
  EXPECT_EQ(planned(m, {}, slow).plan->layers[0].find(Op::kMixed), nullptr);
  KernelManifest other_layout = mixed;
  other_layout.layout = {Layout::kHnd};
  const Catalog apart = test::catalog({test::plugin("p", {test::kernel("k"), other_layout})});
  EXPECT_EQ(planned(m, {}, apart).plan->layers[0].find(Op::kMixed), nullptr);
}

TEST(Plan, Nvfp4TakesTheLayoutThatAllKernelsShare) {
  KernelManifest append = one(Op::kAppend), prefill = one(Op::kPrefill), decode = one(Op::kDecode);
  append.kv = {Format::kNvfp4Linear, Format::kNvfp4Swizzled};
  prefill.kv = append.kv;
  decode.kv = {Format::kNvfp4Swizzled};
  PlanOptions options;
  options.kv_cache.format = *parse_spelling("nvfp4");
  const ModelGeometry m = test::model({test::layer()});
  const Catalog catalog = test::catalog({test::plugin("p", {append, prefill, decode})});
  EXPECT_EQ(planned(m, options, catalog).plan->layers[0].kv, Format::kNvfp4Swizzled);
  decode.kv = append.kv;
  const Catalog both = test::catalog({test::plugin("p", {append, prefill, decode})});
  EXPECT_EQ(planned(m, options, both).plan->layers[0].kv, Format::kNvfp4Linear);
}

TEST(Plan, RequestsSayWhatTheLayerIs) {
  LayerGeometry g = test::layer();
  g.window = 128;
  g.sinks = true;
  g.softcap = 50;
  KernelManifest k = test::kernel("k");
  k.features = {Feature::kCausal, Feature::kWindow, Feature::kSinks, Feature::kSoftcap,
                Feature::kLse};
  k.max_query_tokens = 4;
  PlanOptions options;
  options.features = {Feature::kLse};
  options.decode_query_tokens = 3;
  const PlanOutcome outcome =
      planned(test::model({g}), options, test::catalog({test::plugin("p", {k})}));
  ASSERT_TRUE(outcome.plan);
  const LayerPlan& layer = outcome.plan->layers[0];
  EXPECT_EQ(layer.find(Op::kDecode)->request.features, k.features);
  EXPECT_EQ(layer.find(Op::kDecode)->request.query_tokens, 3);
  EXPECT_EQ(layer.find(Op::kPrefill)->request.query_tokens, 1);
  EXPECT_TRUE(layer.find(Op::kAppend)->request.features.empty());
  EXPECT_EQ(layer.find(Op::kDecode)->candidates.size(), 1u);
}

TEST(Plan, BareManifestsArePlannedForButNotRun) {
  CatalogEntry bare = test::plugin("bare", {test::kernel("k")});
  bare.has_code = false;
  const Catalog catalog = test::catalog({bare});
  PlanOptions options;
  EXPECT_FALSE(planned(test::model({test::layer()}), options, catalog).plan);
  options.runnable = false;
  EXPECT_TRUE(planned(test::model({test::layer()}), options, catalog).plan);
}

TEST(Plan, LatentLayersHaveOneRowAToken) {
  LayerGeometry mla;
  mla.q_heads = 128;
  mla.kv_heads = 1;
  mla.head_dim = {576, 512};
  mla.cache = CacheKind::kLatent;
  KernelManifest k = test::kernel("k");
  k.kv = {Format::kFp8DsMlaV32};
  k.cache = {CacheKind::kLatent};
  k.head_dim.pairs = {{576, 512}};
  k.block_size.values = {64};
  k.group.values = {128};
  PlanOptions options;
  options.kv_cache.format = *parse_spelling("fp8_ds_mla");
  const PlanOutcome outcome =
      planned(test::model({mla}), options, test::catalog({test::plugin("p", {k})}));
  ASSERT_TRUE(outcome.plan);
  EXPECT_EQ(outcome.plan->kv_bytes_per_token, 656);
}

// What a kernel takes of where rows stand is asked of the engine when it plans.
TEST(Plan, StridedPagesOrTensorsGoToKernelsThatListThem) {
  KernelManifest narrow = test::kernel("narrow"), wide = test::kernel("wide");
  narrow.score = 10;
  narrow.tensors = narrow.pages = {Strides::kPacked};
  narrow.alignment = 16;
  const Catalog catalog = test::catalog({test::plugin("p", {narrow, wide})});
  const auto kernel_of = [&](const PlanOptions& options) {
    const PlanOutcome outcome = planned(test::model({test::layer()}), options, catalog);
    EXPECT_TRUE(outcome.plan);
    const OpDecision& d = *outcome.plan->layers[0].find(Op::kPrefill);
    return catalog.entries()[0].manifest.kernels[d.kernel].name;
  };
  PlanOptions options;
  EXPECT_EQ(kernel_of(options), "narrow");
  options.tensors = Strides::kStrided;
  EXPECT_EQ(kernel_of(options), "wide");
  options.tensors = Strides::kPacked;
  options.pages = Strides::kStrided;
  EXPECT_EQ(kernel_of(options), "wide");
  options.pages = Strides::kPacked;
  options.alignment = 4;
  EXPECT_EQ(kernel_of(options), "wide");
}

// What the planner promised of a session's own pool, the pool keeps.
TEST(Plan, BlocksBeginWholePagesApartForKernelsThatTakePackedPagesAlone) {
  KernelManifest local = test::kernel("local"), full = test::kernel("full");
  local.features.insert(Feature::kWindow);
  full.kv = local.kv = {Format::kBf16, Format::kFp8E4m3};
  local.group.values = {4, 10};
  LayerGeometry sliding = test::layer();
  sliding.window = 512;
  sliding.kv_heads = 5;
  sliding.q_heads = 50;
  ModelGeometry model = test::model(std::vector<LayerGeometry>(22, sliding));
  model.layers.resize(26, test::layer());
  PlanOptions options;
  for (const bool packed : {true, false}) {
    if (packed) local.pages = full.pages = {Strides::kPacked};
    if (!packed) local.pages = full.pages = {Strides::kPacked, Strides::kStrided};
    const PlanOutcome outcome =
        planned(model, options, test::catalog({test::plugin("p", {local, full})}));
    ASSERT_TRUE(outcome.plan);
    const PoolLayout pool = pool_of(outcome.plan->groups);
    bool whole = true;
    for (size_t g = 0; g < pool.groups.size(); ++g) {
      EXPECT_EQ(outcome.plan->groups[g].packed, packed);
      whole = whole && pool.groups[g].block_stride % (outcome.plan->groups[g].page_bytes / 2) == 0;
    }
    EXPECT_EQ(whole, packed);  // or this model shows nothing
  }
}

}  // namespace
}  // namespace attnrt
