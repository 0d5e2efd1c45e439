// What plans get from the manifests of both CUDA plugins: one layer's ops from two plugins, over
// one cache.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "attnrt/plan.hpp"
#include "attnrt/select.hpp"
#include "tests/support/plugin_manifest.hpp"

namespace attnrt {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class CudnnRoutes : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(ATTNRT_SOURCE_DIR "/plugins/cuda/manifest.yaml")) {
      GTEST_SKIP() << "plugins/cuda is not there, and cudnn does not append";
    }
    for (const char* plugin : {"cudnn", "cuda"}) {
      CatalogEntry entry;
      entry.manifest = testing::read_plugin_manifest(plugin);
      entries_.push_back(entry);
    }
  }

  Result<PlanOutcome> planned(int32_t sm, int32_t head_dim, PlanOptions options = {}) const {
    LayerGeometry layer;
    layer.q_heads = 32;
    layer.kv_heads = 8;
    layer.head_dim = {head_dim, head_dim};
    ModelGeometry model;
    model.name = "test";
    model.layers = {layer};
    return plan(model, {.kind = DeviceKind::kCuda, .sm = sm}, options, Catalog(entries_));
  }
  // "append prefill decode" by the plugins' names; "refused" where there is no plan.
  std::string route(const Result<PlanOutcome>& outcome) const {
    if (!outcome.ok()) return to_string(outcome.error());
    if (!outcome->plan) return "refused";
    std::string names;
    for (const Op op : {Op::kAppend, Op::kPrefill, Op::kDecode}) {
      const OpDecision* d = outcome->plan->layers[0].find(op);
      names +=
          (names.empty() ? "" : " ") + (d == nullptr ? "none" : entries_[d->plugin].manifest.name);
    }
    return names;
  }

  std::vector<CatalogEntry> entries_;
};

TEST_F(CudnnRoutes, PrefillByCudnnAndTheRestByCudaOverOneCache) {
  for (const int32_t sm : {80, 86, 89, 90, 100, 103, 120}) {
    for (const Layout layout : {Layout::kNhd, Layout::kHnd}) {
      PlanOptions options;
      options.kv_cache.layout = layout;
      options.policy.prefer = {"cudnn"};
      options.decode_query_tokens = 4;  // which cudnn does not list
      const Result<PlanOutcome> outcome = planned(sm, 128, options);
      EXPECT_EQ(route(outcome), "cuda cudnn cuda") << sm;
      ASSERT_TRUE(outcome.ok() && outcome->plan);
      EXPECT_EQ(outcome->plan->layers[0].kv, Format::kBf16);
      EXPECT_EQ(outcome->plan->layers[0].layout, layout);
      // Batches of both kinds go undivided to the plugin that has a kernel for them.
      const OpDecision* mixed = outcome->plan->layers[0].find(Op::kMixed);
      ASSERT_NE(mixed, nullptr);
      EXPECT_EQ(entries_[mixed->plugin].manifest.name, "cuda");
    }
  }
}

TEST_F(CudnnRoutes, EverythingByCudaWhereCudnnIsNotListed) {
  EXPECT_EQ(route(planned(121, 128)), "cuda cuda cuda");
  EXPECT_EQ(route(planned(90, 192)), "refused");  // no append
  PlanOptions fp8;
  fp8.kv_cache.format = *parse_spelling("fp8_e4m3");
  EXPECT_EQ(route(planned(90, 128, fp8)), "cuda cuda cuda");
}

// Until it has been seen on a GPU.
TEST_F(CudnnRoutes, EverythingByCudaWhereNothingIsPreferred) {
  EXPECT_EQ(route(planned(90, 128)), "cuda cuda cuda");
}

TEST_F(CudnnRoutes, HeadsOf512ByBoth) {
  PlanOptions options;
  options.policy.prefer = {"cudnn"};
  options.decode_query_tokens = 4;
  EXPECT_EQ(route(planned(90, 512, options)), "cuda cudnn cuda");
}

TEST_F(CudnnRoutes, DecodeByCudnnWhereItIsPreferred) {
  PlanOptions options;
  options.policy.prefer = {"cudnn"};
  EXPECT_EQ(route(planned(90, 128, options)), "cuda cudnn cudnn");
}

TEST_F(CudnnRoutes, ReasonsWhereCudnnIsAlone) {
  entries_.pop_back();
  const Result<PlanOutcome> outcome = planned(90, 128);
  ASSERT_TRUE(outcome.ok());
  EXPECT_FALSE(outcome->plan);
  ASSERT_THAT(outcome->refusals, SizeIs(1));
  EXPECT_EQ(outcome->refusals[0].op, Op::kAppend);
}

TEST_F(CudnnRoutes, ReasonsWhereTheLibraryIsMissing) {
  CatalogEntry entry = entries_[0];
  EXPECT_THAT(entry.manifest.needs_libraries, ElementsAre("libcudnn.so.9"));
  entry.missing_libraries = entry.manifest.needs_libraries;
  const Catalog catalog({entry});
  Request request;
  request.device = {.kind = DeviceKind::kCuda, .sm = 90};
  EXPECT_TRUE(select(request, catalog).chosen);  // another machine's may be there
  request.device.ordinal = 0;
  const Decision here = select(request, catalog);
  EXPECT_FALSE(here.chosen);
  for (const Candidate& c : here.candidates)
    EXPECT_EQ(c.failed & 1U << static_cast<int>(Rule::kNeeds),
              1U << static_cast<int>(Rule::kNeeds));
}

}  // namespace
}  // namespace attnrt
