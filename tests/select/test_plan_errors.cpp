// Input that no plan can be made of: errors that name the place and the remedy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/select/catalogs.hpp"

namespace attnrt {
namespace {

using testing::HasSubstr;

struct BadInput {
  const char* reason;
  std::function<void(ModelGeometry&, PlanOptions&)> change;
};

using Kind = LayerSelector::Kind;

const BadInput kBadInputs[] = {
    {"at least one layer", [](ModelGeometry& m, PlanOptions&) { m.layers.clear(); }},
    {"layers from 0 to 1, found 2",
     [](ModelGeometry&, PlanOptions& o) {
       o.kv_cache.skip_layers = {{Kind::kRange, 2, 2}};
     }},
    {"layers from 0 to 1, found 0-2",
     [](ModelGeometry&, PlanOptions& o) {
       o.kv_cache.skip_layers = {{Kind::kRange, 0, 2}};
     }},
    {"layers from 0 to 1, found -1",
     [](ModelGeometry&, PlanOptions& o) {
       o.kv_cache.skip_layers = {{Kind::kRange, -1, -1}};
     }},
    {"'sliding_window', but no layer has a window",
     [](ModelGeometry&, PlanOptions& o) { o.kv_cache.skip_layers = {{Kind::kSlidingWindow}}; }},
    {"'full', but every layer has a window",
     [](ModelGeometry& m, PlanOptions& o) {
       for (LayerGeometry& g : m.layers) g.window = 128;
       o.kv_cache.skip_layers = {{Kind::kFull}};
     }},
    {"both required and denied",
     [](ModelGeometry&, PlanOptions& o) {
       o.policy = {"only", {}, {"only"}};
     }},
    {"nearest: 'only'", [](ModelGeometry&, PlanOptions& o) { o.policy.require = "onyl"; }},
    {"layer 1: expected query heads that are a multiple",
     [](ModelGeometry& m, PlanOptions&) { m.layers[1].kv_heads = 5; }},
    {"layer 0: expected at least 1",
     [](ModelGeometry& m, PlanOptions&) {
       m.layers[0].head_dim = {0, 0};
     }},
    {"a window of at least 0", [](ModelGeometry& m, PlanOptions&) { m.layers[0].window = -1; }},
    {"a soft cap of at least 0", [](ModelGeometry& m, PlanOptions&) { m.layers[0].softcap = -1; }},
    {"a mask", [](ModelGeometry& m, PlanOptions&) { m.layers[0].mask = Feature::kSinks; }},
    {"kv_cache.block_size", [](ModelGeometry&, PlanOptions& o) { o.kv_cache.block_size = 0; }},
    {"alignment", [](ModelGeometry&, PlanOptions& o) { o.alignment = 24; }},
    {"alignment", [](ModelGeometry&, PlanOptions& o) { o.alignment = -16; }},
    {"decode_query_tokens", [](ModelGeometry&, PlanOptions& o) { o.decode_query_tokens = 0; }},
    {"masks, windows, sinks",
     [](ModelGeometry&, PlanOptions& o) { o.features = {Feature::kWindow}; }},
    {"layer 0: expected a latent cache",
     [](ModelGeometry&, PlanOptions& o) { o.kv_cache.format = *parse_spelling("fp8_ds_mla"); }},
    {"layer 1: expected a latent cache",
     [](ModelGeometry&, PlanOptions& o) {
       o.kv_cache.skip_format = *parse_spelling("fp8_ds_mla");
       o.kv_cache.skip_layers = {{Kind::kRange, 1, 1}};
     }},
};

TEST(PlanErrors, BadInputIsNamed) {
  const Catalog catalog = test::catalog({test::plugin("only", {test::kernel("k")})});
  for (const BadInput& c : kBadInputs) {
    ModelGeometry m = test::model({test::layer(), test::layer()});
    PlanOptions options;
    c.change(m, options);
    const Result<PlanOutcome> outcome = plan(m, test::cpu(), options, catalog);
    ASSERT_FALSE(outcome.ok()) << c.reason;
    EXPECT_EQ(outcome.error().code, ErrorCode::kInvalid) << c.reason;
    EXPECT_THAT(to_string(outcome.error()), HasSubstr(c.reason));
    EXPECT_FALSE(outcome.error().remedy.empty()) << c.reason;
  }
}

TEST(PlanErrors, AFormatThatIsKnownByNameOnlyHasNoPool) {
  KernelManifest k = test::kernel("k");
  k.kv = {Format::kTurboquantK8v4};
  PlanOptions options;
  options.kv_cache.format = *parse_spelling("turboquant_k8v4");
  const Result<PlanOutcome> outcome = plan(test::model({test::layer()}), test::cpu(), options,
                                           test::catalog({test::plugin("p", {k})}));
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code, ErrorCode::kNoBackend);
  EXPECT_THAT(to_string(outcome.error()), HasSubstr("'turboquant_k8v4', which is known by name"));
}

TEST(LayerSelectors, ParseOrSayWhy) {
  EXPECT_EQ(parse_layer_selector("3")->first, 3);
  EXPECT_EQ(parse_layer_selector("3")->last, 3);
  EXPECT_EQ(parse_layer_selector("0-4")->last, 4);
  EXPECT_EQ(parse_layer_selector("sliding_window")->kind, Kind::kSlidingWindow);
  EXPECT_EQ(parse_layer_selector("full")->kind, Kind::kFull);
  for (const char* text : {"", "-", "4-", "-4", "4-3", "a", "1.5", "0x1", "1-2-3", "sliding",
                           "99999999999", " 3", "3 "}) {
    const Result<LayerSelector> selector = parse_layer_selector(text);
    ASSERT_FALSE(selector.ok()) << text;
    EXPECT_EQ(selector.error().code, ErrorCode::kInvalid);
    EXPECT_FALSE(selector.error().remedy.empty()) << text;
  }
  EXPECT_THAT(parse_layer_selector("slidingwindow").error().remedy, HasSubstr("sliding_window"));
}

}  // namespace
}  // namespace attnrt
