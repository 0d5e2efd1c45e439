// Where a model's layers go with all of our plugins there: by their manifests alone, for GPUs that
// this machine does not have.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "attnrt/plan.hpp"
#include "attnrt/profile.hpp"
#include "tests/support/plugin_manifest.hpp"

namespace attnrt {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr const char* kPlugins[] = {"cpu", "cuda", "cudnn", "flashinfer", "reference"};
constexpr int32_t kSms[] = {80, 86, 89, 90, 100, 103, 120, 121};

uint32_t bit(Rule rule) {
  return uint32_t{1} << static_cast<unsigned>(rule);
}

Device cuda(int32_t sm) {
  return {.kind = DeviceKind::kCuda, .sm = sm};
}

class Routes : public ::testing::Test {
 protected:
  void SetUp() override {
    std::vector<CatalogEntry> entries;
    for (const char* plugin : kPlugins) {
      if (!std::filesystem::exists(ATTNRT_SOURCE_DIR "/plugins/" + std::string(plugin))) {
        GTEST_SKIP() << "plugins/" << plugin << " is not there";
      }
      entries.push_back({testing::read_plugin_manifest(plugin), {}, true});
    }
    catalog_ = std::make_unique<Catalog>(std::move(entries));
    add_layer(128);
  }

  LayerGeometry& add_layer(int32_t head_dim, int32_t window = 0) {
    LayerGeometry layer;
    layer.q_heads = 32;
    layer.kv_heads = 8;
    layer.head_dim = {head_dim, head_dim};
    layer.window = window;
    model_.layers.push_back(layer);
    return model_.layers.back();
  }
  void prefer(std::vector<std::string> plugins) { options_.policy.prefer = std::move(plugins); }
  void set_format(const char* text) { options_.kv_cache.format = *parse_spelling(text); }

  // Without the errors of a wrong use; "refused" has no plan.
  std::optional<Plan> planned(const Device& device) const {
    const Result<PlanOutcome> outcome = plan(model_, device, options_, *catalog_);
    EXPECT_TRUE(outcome.ok()) << (outcome.ok() ? "" : to_string(outcome.error()));
    return outcome.ok() ? outcome->plan : std::nullopt;
  }
  // "append prefill decode" of a layer by the plugins' names.
  std::string route(const Device& device, size_t layer = 0) const {
    const std::optional<Plan> p = planned(device);
    return p ? route(*p, layer) : "refused";
  }
  std::string route(const Plan& p, size_t layer) const {
    std::string names;
    for (const Op op : {Op::kAppend, Op::kPrefill, Op::kDecode}) {
      names += (names.empty() ? "" : " ") + plugin_of(p, layer, op);
    }
    return names;
  }
  std::string plugin_of(const Plan& p, size_t layer, Op op) const {
    const OpDecision* d = p.layers[layer].find(op);
    return d == nullptr ? "none" : catalog_->entries()[d->plugin].manifest.name;
  }

  Request request(int32_t sm, Op op) const {
    Request r;
    r.device = cuda(sm);
    r.op = op;
    return r;
  }
  const Manifest& manifest_of(const Candidate& c) const {
    return catalog_->entries()[c.plugin].manifest;
  }
  // Plugins of which a kernel accepts.
  std::vector<std::string> who(const Request& r) const {
    std::vector<std::string> names;
    for (const Candidate& c : select(r, *catalog_).candidates) {
      const std::string& name = manifest_of(c).name;
      if (c.accepted() && std::ranges::count(names, name) == 0) names.push_back(name);
    }
    return names;
  }
  // Rules that fail in every kernel of the plugin for this device and op.
  uint32_t fail_everywhere(const Request& r, std::string_view plugin) const {
    uint32_t common = ~0U;
    for (const Candidate& c : select(r, *catalog_).candidates) {
      if (manifest_of(c).name == plugin) common &= c.failed;
    }
    return common;
  }

  std::unique_ptr<Catalog> catalog_;
  ModelGeometry model_;
  PlanOptions options_;
};

TEST_F(Routes, OneLayersOpsGoToTwoPluginsOverOneCache) {
  options_.decode_query_tokens = 4;  // speculative: neither cudnn's decode nor flashinfer's
  for (const int32_t sm : kSms) {
    for (const Layout layout : {Layout::kNhd, Layout::kHnd}) {
      options_.kv_cache.layout = layout;
      prefer({"cudnn"});
      const std::string first = sm == 121 ? "cuda" : "cudnn";
      EXPECT_EQ(route(cuda(sm)), "cuda " + first + " cuda") << sm;
      prefer({"flashinfer"});
      const std::optional<Plan> p = planned(cuda(sm));
      ASSERT_TRUE(p) << sm;
      EXPECT_EQ(route(*p, 0), "cuda flashinfer cuda") << sm;
      for (const OpDecision& d : p->layers[0].ops) {
        EXPECT_EQ(d.request.kv, p->layers[0].kv);
        EXPECT_EQ(d.request.block_size, p->layers[0].block_size);
        EXPECT_EQ(d.request.layout, layout);
      }
      EXPECT_EQ(p->groups.size(), 1U);
    }
  }
}

// As an engine divides it that has measured: prefill where it is fastest, decode elsewhere.
TEST_F(Routes, OneLayersOpsGoToThreePluginsOverOneCacheByAProfile) {
  Profile profile;
  profile.device = cuda(90);
  Request r = request(90, Op::kPrefill);
  const auto measured = [](const char* plugin, const char* kernel, double ms) {
    return ProfiledKernel{plugin, "0.1.0", kernel, ms};
  };
  profile.entries.push_back({*shape_class(r),
                             1,
                             {measured("cudnn", "prefill", 1), measured("flashinfer", "prefill", 2),
                              measured("cuda", "attend", 3)}});
  r.op = Op::kDecode;
  profile.entries.push_back({*shape_class(r),
                             1,
                             {measured("cudnn", "decode", 3), measured("flashinfer", "decode", 1),
                              measured("cuda", "attend", 2)}});
  options_.policy.profile = std::make_shared<const Profile>(profile);
  EXPECT_EQ(route(cuda(90)), "cuda cudnn flashinfer");
  EXPECT_EQ(route(cuda(80)), "cuda cuda cuda") << "not measured there";
}

// The cache's block size is no plugin's own affair.
TEST_F(Routes, AgreeOnABlockSizeThatAllOfThemList) {
  prefer({"cudnn"});
  options_.kv_cache.block_size = 48;  // no power of 2
  EXPECT_EQ(route(cuda(90)), "cuda cuda cuda");
  options_.kv_cache.block_size.reset();
  const std::optional<Plan> p = planned(cuda(90));
  ASSERT_TRUE(p);
  EXPECT_EQ(route(*p, 0), "cuda cudnn cudnn");
  EXPECT_EQ(p->layers[0].block_size, 16);
}

TEST_F(Routes, HeadsOf512GoToWhoeverHasThem) {
  model_.layers.clear();
  add_layer(512);
  prefer({"flashinfer"});  // 64, 128, 256
  for (const int32_t sm : kSms) EXPECT_EQ(route(cuda(sm)), "cuda cuda cuda") << sm;
  prefer({"cudnn"});
  for (const int32_t sm : kSms) {
    EXPECT_EQ(route(cuda(sm)), sm == 121 ? "cuda cuda cuda" : "cuda cudnn cudnn") << sm;
  }
  EXPECT_EQ(route({.kind = DeviceKind::kCpu}), "cpu cpu cpu");
  Request r = request(90, Op::kPrefill);
  r.head_dim = {512, 512};
  EXPECT_THAT(who(r), ElementsAre("cuda", "cudnn"));
  EXPECT_NE(fail_everywhere(r, "flashinfer") & bit(Rule::kHeadDim), 0U);
}

// Gemma's kind: sliding layers of 256 beside full ones of 512.
TEST_F(Routes, LayersOfOneModelGoDifferentWays) {
  model_.layers.clear();
  add_layer(256, 1024);
  add_layer(512);
  prefer({"flashinfer"});
  const std::optional<Plan> p = planned(cuda(90));
  ASSERT_TRUE(p);
  EXPECT_EQ(route(*p, 0), "cuda flashinfer flashinfer");
  EXPECT_EQ(route(*p, 1), "cuda cuda cuda");
  EXPECT_EQ(p->groups.size(), 2U);
}

TEST_F(Routes, Fp8OnSm90GoesToThoseThatListIt) {
  for (const Op op : {Op::kPrefill, Op::kDecode}) {
    Request r = request(90, op);
    r.kv = Format::kFp8E4m3;
    EXPECT_THAT(who(r), ElementsAre("cuda", "flashinfer"));
    EXPECT_NE(fail_everywhere(r, "cudnn") & bit(Rule::kKv), 0U);
    r.kv = Format::kFp8E5m2;
    EXPECT_THAT(who(r), ElementsAre("cuda", "flashinfer"));
    r.q = DType::kF16;  // flashinfer has no such kernel compiled
    EXPECT_THAT(who(r), ElementsAre("cuda"));
    r.q = DType::kBf16;
    r.kv = Format::kInt8PerTokenHead;
    EXPECT_THAT(who(r), ElementsAre("cuda"));
    r.kv = Format::kFp8E4m3fnuz;  // AMD's
    EXPECT_THAT(who(r), IsEmpty());
  }
  set_format("fp8");
  prefer({"cudnn", "flashinfer"});
  EXPECT_EQ(route(cuda(90)), "cuda flashinfer flashinfer");
}

// Layers that keep bf16 beside those of fp8 have their own kernels.
TEST_F(Routes, SkippedLayersGoWhereTheirFormatIsListed) {
  add_layer(128, 1024);
  set_format("fp8");
  options_.kv_cache.skip_layers = {*parse_layer_selector("sliding_window")};
  prefer({"cudnn", "flashinfer"});
  const std::optional<Plan> p = planned(cuda(90));
  ASSERT_TRUE(p);
  EXPECT_EQ(p->layers[0].kv, Format::kFp8E4m3);
  EXPECT_EQ(route(*p, 0), "cuda flashinfer flashinfer");
  EXPECT_EQ(p->layers[1].kv, Format::kBf16);
  EXPECT_EQ(route(*p, 1), "cuda cudnn cudnn");
}

TEST_F(Routes, Nvfp4OnSm120IsOurs) {
  set_format("nvfp4");
  for (const int32_t sm : {120, 121}) {
    for (const std::vector<std::string>& preferred :
         std::vector<std::vector<std::string>>{{}, {"flashinfer"}, {"cudnn"}}) {
      prefer(preferred);
      const std::optional<Plan> p = planned(cuda(sm));
      ASSERT_TRUE(p) << sm;
      EXPECT_EQ(route(*p, 0), "cuda cuda cuda") << sm;
      EXPECT_EQ(p->layers[0].kv, Format::kNvfp4Linear);
    }
    for (const Format format : {Format::kNvfp4Linear, Format::kNvfp4Swizzled}) {
      Request r = request(sm, Op::kPrefill);
      r.kv = format;
      EXPECT_THAT(who(r), ElementsAre("cuda")) << sm;
      for (const char* other : {"cudnn", "flashinfer"}) {
        EXPECT_NE(fail_everywhere(r, other) & bit(Rule::kKv), 0U) << other;
      }
    }
  }
}

TEST_F(Routes, LatentCachesAreOurs) {
  model_.layers.clear();
  LayerGeometry& mla = add_layer(1);
  mla.q_heads = 128;
  mla.kv_heads = 1;
  mla.head_dim = {576, 512};
  mla.cache = CacheKind::kLatent;
  prefer({"cudnn", "flashinfer"});
  for (const char* format : {"bf16", "fp8_ds_mla"}) {
    set_format(format);
    for (const int32_t sm : kSms) EXPECT_EQ(route(cuda(sm)), "cuda cuda cuda") << format << sm;
  }
}

TEST_F(Routes, MasksAndSinksGoToWhoeverHasThem) {
  prefer({"cudnn", "flashinfer"});
  model_.layers[0].softcap = 30;  // cudnn lists none
  EXPECT_EQ(route(cuda(90)), "cuda flashinfer flashinfer");
  model_.layers[0].sinks = true;
  EXPECT_EQ(route(cuda(90)), "cuda cuda cuda");
  model_.layers[0].softcap = 0;
  set_format("fp8");  // XQA's
  EXPECT_EQ(route(cuda(90)), "cuda cuda flashinfer");
  EXPECT_EQ(route(cuda(89)), "cuda cuda cuda");
  set_format("bf16");
  EXPECT_EQ(route(cuda(90)), "cuda cuda cuda");
  model_.layers[0] = LayerGeometry{32, 8, {128, 128}};
  model_.layers[0].mask = Feature::kNonCausal;  // flashinfer lists causal alone
  EXPECT_EQ(route(cuda(90)), "cuda cudnn cudnn");
}

// Slices of a fused projection, and caches that an engine laid out in its own way.
TEST_F(Routes, RowsGoToWhoeverTakesThemWhereTheyStand) {
  prefer({"cudnn", "flashinfer"});
  EXPECT_EQ(route(cuda(90)), "cuda cudnn cudnn");
  options_.tensors = Strides::kStrided;
  EXPECT_EQ(route(cuda(90)), "cuda flashinfer flashinfer");
  options_.tensors = Strides::kPacked;
  options_.pages = Strides::kStrided;
  EXPECT_EQ(route(cuda(90)), "cuda flashinfer flashinfer");
  options_.alignment = 8;
  EXPECT_EQ(route(cuda(90)), "cuda cuda cuda");
}

TEST_F(Routes, RefusalsOfRowsNameThePackingAsAWayOut) {
  Policy policy;
  policy.require = "cudnn";
  Request r = request(90, Op::kPrefill);
  r.tensors = Strides::kStrided;
  r.alignment = 8;
  const Decision decision = select(r, *catalog_, policy);
  EXPECT_FALSE(decision.chosen);
  std::vector<uint32_t> failed;
  for (const Candidate& c : decision.candidates) failed.push_back(c.failed);
  EXPECT_THAT(failed, Contains(bit(Rule::kTensors) | bit(Rule::kAlignment)));
  const std::vector<Alternative> ways = alternatives(r, *catalog_, policy);
  ASSERT_FALSE(ways.empty());
  EXPECT_THAT(ways[0].change, ElementsAre(Pair("tensors", "packed"), Pair("alignment", "16")));
  EXPECT_EQ(catalog_->entries()[ways[0].plugin].manifest.name, "cudnn");
}

TEST_F(Routes, EverythingIsOursWhereNobodyPrefersAnything) {
  for (const int32_t sm : kSms) {
    for (const char* format : {"auto", "fp8", "fp8_e5m2", "int8_per_token_head", "nvfp4"}) {
      set_format(format);
      EXPECT_EQ(route(cuda(sm)), "cuda cuda cuda") << sm << ' ' << format;
    }
  }
}

}  // namespace
}  // namespace attnrt
