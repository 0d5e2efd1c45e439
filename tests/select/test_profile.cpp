// Measured profiles: which kernels they compare, and what they leave alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attnrt/profile.hpp"
#include "tests/select/catalogs.hpp"

namespace attnrt {
namespace {

KernelManifest scored(std::string name, int32_t score) {
  KernelManifest k = test::kernel(std::move(name));
  k.score = score;
  return k;
}

CatalogEntry versioned(std::string name, int32_t score) {
  CatalogEntry entry = test::plugin(name, {scored("k", score)});
  entry.manifest.version = "1";
  return entry;
}

// high 90, middle 60, low 10.
Catalog three() {
  return test::catalog({versioned("high", 90), versioned("middle", 60), versioned("low", 10)});
}

Policy measured(std::vector<std::pair<std::string, double>> times, Request of = test::request()) {
  Profile p;
  p.device = of.device;
  p.entries = {{*shape_class(of), 1, {}}};
  for (auto& [plugin, ms] : times) p.entries[0].kernels.push_back({plugin, "1", "k", ms});
  Policy policy;
  policy.profile = std::make_shared<const Profile>(std::move(p));
  return policy;
}

std::string chosen(const Policy& policy, const Request& request = test::request()) {
  const Catalog catalog = three();
  const Decision d = select(request, catalog, policy);
  return d.chosen ? catalog.entries()[d.candidates[*d.chosen].plugin].manifest.name : "none";
}

TEST(Profile, TheFastestOfTheMeasuredIsPreferred) {
  EXPECT_EQ(chosen({}), "high");
  EXPECT_EQ(chosen(measured({{"high", 3}, {"middle", 2}, {"low", 1}})), "low");
  EXPECT_EQ(chosen(measured({{"high", 3}, {"low", 1}})), "low");
}

TEST(Profile, AKernelThatWasNotMeasuredKeepsItsPlace) {
  EXPECT_EQ(chosen(measured({{"middle", 2}, {"low", 1}})), "high") << "nothing is known of it";
  Policy without_high = measured({{"middle", 2}, {"low", 1}});
  without_high.deny = {"high"};
  EXPECT_EQ(chosen(without_high), "low");
}

TEST(Profile, OfOneKernelComparesNothing) {
  EXPECT_EQ(chosen(measured({{"low", 0.001}})), "high");
}

TEST(Profile, ThePolicyComesFirst) {
  Policy policy = measured({{"high", 1}, {"low", 2}});
  policy.prefer = {"low"};
  EXPECT_EQ(chosen(policy), "low");
  policy.prefer = {"middle"};
  EXPECT_EQ(chosen(policy), "middle");
}

TEST(Profile, OfEqualScoresTheFasterComesFirstWhateverItsName) {
  const Catalog catalog = test::catalog({versioned("alpha", 50), versioned("zeta", 50)});
  const Decision d = select(test::request(), catalog, measured({{"alpha", 2}, {"zeta", 1}}));
  EXPECT_EQ(d.candidates[*d.chosen].plugin, 1u);
}

TEST(Profile, SpeaksOfItsOwnDeviceClassAndVersionOnly) {
  Request other = test::request();
  other.device = test::cpu({"avx2"});
  EXPECT_EQ(chosen(measured({{"high", 3}, {"low", 1}}, other)), "high") << "another device";
  other = test::request();
  other.q_heads = 64;
  EXPECT_EQ(chosen(measured({{"high", 3}, {"low", 1}}, other)), "high") << "another class";
  Policy stale = measured({{"high", 3}, {"low", 1}});
  Profile p = *stale.profile;
  p.entries[0].kernels[1].version = "0";
  stale.profile = std::make_shared<const Profile>(p);
  EXPECT_EQ(chosen(stale), "high") << "another version's times";
}

TEST(Profile, BlockSizesAndLayoutsShareAClass) {
  Request other = test::request();
  other.block_size = 32;
  other.layout = Layout::kHnd;
  EXPECT_EQ(shape_class(other), shape_class(test::request()));
}

TEST(ShapeClass, GroupsRequestsOfLikeKind) {
  Request r = test::request();
  EXPECT_EQ(shape_class(r)->query_tokens, 1);
  EXPECT_EQ(shape_class(r)->group, 4);
  r.query_tokens = 5;
  EXPECT_EQ(shape_class(r)->query_tokens, 8) << "speculative decoding, by powers of two";
  r.op = Op::kMixed;
  EXPECT_EQ(shape_class(r), shape_class(test::request())) << "as decode";
  r.op = Op::kPrefill;
  EXPECT_EQ(shape_class(r)->query_tokens, 0);
  EXPECT_NE(shape_class(r), shape_class(test::request()));
  for (const Op op : {Op::kAppend, Op::kMerge}) {
    r.op = op;
    EXPECT_FALSE(shape_class(r)) << "never measured";
  }
}

TEST(Profile, PlansFollowItOpByOp) {
  const Catalog catalog = three();
  PlanOptions options;
  options.policy = measured({{"high", 3}, {"low", 1}});  // decode alone
  const auto outcome = plan(test::model({test::layer()}), test::cpu(), options, catalog);
  ASSERT_TRUE(outcome.ok() && outcome->plan);
  const LayerPlan& layer = outcome->plan->layers[0];
  EXPECT_EQ(catalog.entries()[layer.find(Op::kDecode)->plugin].manifest.name, "low");
  EXPECT_EQ(catalog.entries()[layer.find(Op::kPrefill)->plugin].manifest.name, "high");
}

TEST(Profile, PlansOfEqualScoresFollowTheTimesToo) {
  const Catalog catalog = test::catalog({versioned("alpha", 50), versioned("zeta", 50)});
  PlanOptions options;
  options.policy = measured({{"alpha", 2}, {"zeta", 1}});
  const auto outcome = plan(test::model({test::layer()}), test::cpu(), options, catalog);
  ASSERT_TRUE(outcome.ok() && outcome->plan);
  EXPECT_EQ(outcome->plan->layers[0].find(Op::kDecode)->plugin, 1u);
}

TEST(CheckProfile, RefusesOtherDevicesAndMachines) {
  Profile p;
  p.origin = "p.json";
  p.device = test::cpu({"avx2"});
  p.machine = "this one";
  Device here = p.device;
  here.ordinal = 0;
  const HostFacts host{.cpu_features = {"avx2"}, .cuda_sms = {}, .cpu_name = "this one"};
  EXPECT_TRUE(check(p, here, host).ok());
  EXPECT_TRUE(check(p, p.device, {}).ok()) << "planning for such a machine from any other";
  EXPECT_FALSE(check(p, test::cpu({"avx2", "fma"}), host).ok());
  EXPECT_FALSE(check(p, test::cuda(90), host).ok());
  p.machine = "another one";
  const Status refused = check(p, here, host);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(to_string(refused.error()), testing::HasSubstr("'another one'"));
}

}  // namespace
}  // namespace attnrt
