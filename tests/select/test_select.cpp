// Each rule refuses on its own, and what is listed is served.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "select/compiled.hpp"
#include "tests/select/catalogs.hpp"

namespace attnrt {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

struct RuleCase {
  const char* what;
  Rule rule;
  std::function<void(KernelManifest&)> kernel;  // changes the kernel that would serve
  std::function<void(Request&)> request;        // or the request
};

const auto kKeep = [](auto&) {};

const RuleCase kRuleCases[] = {
    {"another kind of device", Rule::kDevice, kKeep, [](Request& r) { r.device = test::cuda(90); }},
    {"a device of a later version", Rule::kDevice, [](auto& k) { k.device.reset(); }, kKeep},
    {"an op that is not listed", Rule::kOp, kKeep, [](Request& r) { r.op = Op::kMixed; }},
    {"more query tokens than a decode takes", Rule::kQueryTokens, kKeep,
     [](Request& r) { r.query_tokens = 2; }},
    {"another type of q", Rule::kQ, [](auto& k) { k.out = {DType::kBf16}; },
     [](Request& r) {
       r.q = DType::kF16;
       r.out = DType::kBf16;
     }},
    {"an out that is not q's, where none is listed", Rule::kOut, kKeep,
     [](Request& r) { r.out = DType::kF32; }},
    {"an out that is not listed", Rule::kOut, [](auto& k) { k.out = {DType::kF32}; }, kKeep},
    {"another format", Rule::kKv, kKeep, [](Request& r) { r.kv = Format::kF16; }},
    {"a format of the same storage", Rule::kKv, [](auto& k) { k.kv = {Format::kFp8E4m3}; },
     [](Request& r) { r.kv = Format::kNvfp4Linear; }},
    {"a listed format that does not exist for the head size", Rule::kKv,
     [](auto& k) {
       k.kv = {Format::kNvfp4Linear};
       k.head_dim.pairs = {{72, 72}};
     },
     [](Request& r) {
       r.kv = Format::kNvfp4Linear;
       r.head_dim = {72, 72};
     }},
    {"a latent format in a separate cache", Rule::kKv,
     [](auto& k) {
       k.kv = {Format::kFp8DsMlaV32};
       k.head_dim.pairs = {{576, 512}};
     },
     [](Request& r) {
       r.kv = Format::kFp8DsMlaV32;
       r.head_dim = {576, 512};
     }},
    {"another kind of cache", Rule::kCache, kKeep,
     [](Request& r) { r.cache = CacheKind::kLatent; }},
    {"another head size", Rule::kHeadDim, kKeep,
     [](Request& r) {
       r.head_dim = {64, 64};
     }},
    {"a pair where a range lists [N, N]", Rule::kHeadDim,
     [](auto& k) {
       k.head_dim = {{}, {{64, 64, 256}}};
     },
     [](Request& r) {
       r.head_dim = {192, 128};
     }},
    {"another block size", Rule::kBlockSize, kKeep, [](Request& r) { r.block_size = 32; }},
    {"a block size between those of a range", Rule::kBlockSize,
     [](auto& k) {
       k.block_size = {{}, {{16, 16, 64}}};
     },
     [](Request& r) { r.block_size = 24; }},
    {"another layout", Rule::kLayout, kKeep, [](Request& r) { r.layout = Layout::kHnd; }},
    {"another group", Rule::kGroup, kKeep, [](Request& r) { r.kv_heads = 32; }},
    {"a mask that is not listed", Rule::kFeatures, kKeep,
     [](Request& r) { r.features = {Feature::kNonCausal}; }},
    {"no mask means causal", Rule::kFeatures, [](auto& k) { k.features = {Feature::kNonCausal}; },
     [](Request& r) { r.features = {}; }},
    {"a guarantee that is not listed", Rule::kFeatures, kKeep,
     [](Request& r) { r.features.insert(Feature::kBatchInvariant); }},
    {"sparse, even where it is listed", Rule::kFeatures,
     [](auto& k) {
       k.features = {Feature::kCausal, Feature::kSparse};
     },
     [](Request& r) { r.features.insert(Feature::kSparse); }},
    {"keys of a later version", Rule::kUnknownKeys, [](auto& k) { k.unknown_keys = {"a"}; }, kKeep},
};

TEST(Select, ServesWhatIsListed) {
  const Catalog catalog = test::catalog({test::plugin("p", {test::kernel("k")})});
  const Decision decision = select(test::request(), catalog);
  ASSERT_THAT(decision.candidates, SizeIs(1));
  EXPECT_EQ(decision.chosen, 0u);
  EXPECT_THAT(explain(decision.candidates[0], test::request(), catalog), IsEmpty());
}

TEST(Select, EachRuleRefusesAlone) {
  for (const RuleCase& c : kRuleCases) {
    KernelManifest k = test::kernel("k");
    Request r = test::request();
    c.kernel(k);
    c.request(r);
    const Catalog catalog = test::catalog({test::plugin("p", {k})});
    const Decision decision = select(r, catalog);
    EXPECT_FALSE(decision.chosen) << c.what;
    EXPECT_EQ(decision.candidates[0].failed, bit(c.rule)) << c.what;
    const std::vector<FailedRule> reasons = explain(decision.candidates[0], r, catalog);
    ASSERT_THAT(reasons, SizeIs(1)) << c.what;
    EXPECT_EQ(reasons[0].rule, c.rule) << c.what;
    EXPECT_FALSE(reasons[0].asked.empty()) << c.what;
    EXPECT_FALSE(reasons[0].allowed.empty()) << c.what;
  }
}

TEST(Select, AllFailedRulesAreNamedNotTheFirst) {
  Request r = test::request();
  r.kv = Format::kNvfp4Linear;
  r.head_dim = {64, 64};
  r.block_size = 128;
  r.q = DType::kF32;
  const Catalog catalog = test::catalog({test::plugin("p", {test::kernel("k")})});
  EXPECT_EQ(select(r, catalog).candidates[0].failed,
            bit(Rule::kKv) | bit(Rule::kHeadDim) | bit(Rule::kBlockSize) | bit(Rule::kQ));
}

TEST(Select, ArchitecturesAreExact) {
  const Catalog catalog = test::catalog({test::plugin("p", {test::cuda_kernel("k", {90, 100})})});
  Request r = test::request();
  for (int32_t sm : known_sms()) {
    r.device = test::cuda(sm);
    const Decision d = select(r, catalog);
    EXPECT_EQ(d.candidates[0].failed, sm == 90 || sm == 100 ? 0 : bit(Rule::kSm)) << sm;
  }
  r.device = test::cuda(130);  // of a later day: nobody lists it
  EXPECT_EQ(select(r, catalog).candidates[0].failed, bit(Rule::kSm));
}

TEST(Select, AmdTargetsAreExact) {
  KernelManifest k = test::kernel("k");
  k.device = DeviceKind::kRocm;
  k.gfx = {"gfx942"};
  const Catalog catalog = test::catalog({test::plugin("p", {k})});
  Request r = test::request();
  r.device = {.kind = DeviceKind::kRocm, .gfx = "gfx942"};
  EXPECT_TRUE(select(r, catalog).chosen);
  r.device.gfx = "gfx950";
  EXPECT_EQ(select(r, catalog).candidates[0].failed, bit(Rule::kGfx));
}

TEST(Select, AppendAndMergeAskOnlyWhatTheyUse) {
  KernelManifest append = test::kernel("append");
  append.ops = {Op::kAppend};
  append.features = {};
  append.group = {};
  KernelManifest merge;
  merge.name = "merge";
  merge.device = DeviceKind::kCpu;
  merge.ops = {Op::kMerge};
  merge.q = {DType::kF32};
  merge.out = {DType::kBf16};
  merge.head_dim.pairs = {{128, 128}};
  const Catalog catalog = test::catalog({test::plugin("p", {append, merge})});
  Request r = test::request();
  r.features = {Feature::kCausal, Feature::kWindow, Feature::kSinks, Feature::kLse};
  r.op = Op::kAppend;
  EXPECT_EQ(select(r, catalog).chosen, 0u);
  r.features = {Feature::kCausal};
  r.op = Op::kMerge;
  r.kv = Format::kUltraquant4bit;
  r.block_size = 7;
  EXPECT_EQ(select(r, catalog).chosen, 1u);
  r.features.insert(Feature::kBatchInvariant);
  EXPECT_EQ(select(r, catalog).candidates[1].failed, bit(Rule::kFeatures));
}

TEST(Select, NeedsAreRulesOfTheDevice) {
  CatalogEntry entry = test::plugin("p", {test::kernel("k"), test::cuda_kernel("c", {90})});
  entry.manifest.needs_cpu = {"avx2", "fma"};
  entry.missing_libraries = {"libabsent.so.1"};
  const Catalog catalog = test::catalog({entry});
  Request r = test::request();
  r.device = test::cpu({"avx2"});
  EXPECT_EQ(select(r, catalog).candidates[0].failed, bit(Rule::kNeeds));
  r.device = test::cpu({"avx2", "fma"});
  EXPECT_EQ(select(r, catalog).chosen, 0u);
  r.device.ordinal = 0;  // this machine, which lacks the library
  EXPECT_EQ(select(r, catalog).candidates[0].failed, bit(Rule::kNeeds));
  // Another machine's CPU and libraries are not known, so a GPU there can be planned for.
  r.device = test::cuda(90);
  EXPECT_EQ(select(r, catalog).chosen, 1u);
}

TEST(Select, AFeatureThatNoCpuIsKnownToHaveIsNeverThere) {
  CatalogEntry entry = test::plugin("p", {test::kernel("k")});
  entry.manifest.needs_cpu = {"avx9000"};
  Request r = test::request();
  r.device = test::cpu({"avx9000"});
  EXPECT_EQ(select(r, test::catalog({entry})).candidates[0].failed, bit(Rule::kNeeds));
}

TEST(Select, AnAbiOfALaterVersionRefusesThePlugin) {
  CatalogEntry entry = test::plugin("p", {test::kernel("k")});
  entry.manifest.abi = 2;
  EXPECT_EQ(select(test::request(), test::catalog({entry})).candidates[0].failed,
            bit(Rule::kPlugin));
}

TEST(Select, ABareManifestCanBePlannedFor) {
  CatalogEntry entry = test::plugin("p", {test::kernel("k")});
  entry.has_code = false;
  EXPECT_TRUE(select(test::request(), test::catalog({entry})).chosen);
}

TEST(Select, AnEmptyCatalogServesNothing) {
  const Catalog catalog = test::catalog({});
  EXPECT_FALSE(select(test::request(), catalog).chosen);
  EXPECT_THAT(alternatives(test::request(), catalog), IsEmpty());
}

TEST(SelectSpelling, TakesTheFirstFormatThatIsServed) {
  KernelManifest linear = test::kernel("linear"), swizzled = test::kernel("swizzled");
  linear.kv = {Format::kNvfp4Linear};
  swizzled.kv = {Format::kNvfp4Swizzled};
  swizzled.score = 100;
  const Format both[] = {Format::kNvfp4Linear, Format::kNvfp4Swizzled};
  const SpelledDecision d =
      select(test::request(), both, test::catalog({test::plugin("p", {linear, swizzled})}));
  EXPECT_EQ(d.request.kv, Format::kNvfp4Linear);
  EXPECT_EQ(d.decision.chosen, 0u);
  const SpelledDecision other =
      select(test::request(), both, test::catalog({test::plugin("p", {swizzled})}));
  EXPECT_EQ(other.request.kv, Format::kNvfp4Swizzled);
}

TEST(SelectSpelling, AFormatFailsOnlyIfAllOfThemFail) {
  KernelManifest swizzled = test::kernel("swizzled");
  swizzled.kv = {Format::kNvfp4Swizzled};
  swizzled.block_size.values = {64};
  const Format both[] = {Format::kNvfp4Linear, Format::kNvfp4Swizzled};
  const Catalog catalog = test::catalog({test::plugin("p", {swizzled, test::kernel("bf16")})});
  const SpelledDecision d = select(test::request(), both, catalog);
  EXPECT_FALSE(d.decision.chosen);
  EXPECT_EQ(d.decision.candidates[0].failed, bit(Rule::kBlockSize));
  EXPECT_EQ(d.decision.candidates[1].failed, bit(Rule::kKv));
}

struct BadRequest {
  const char* what;
  std::function<void(Request&)> change;
};

TEST(CheckRequest, RefusesWhatNoLayerIs) {
  const BadRequest cases[] = {
      {"no query tokens", [](Request& r) { r.query_tokens = 0; }},
      {"no query heads", [](Request& r) { r.q_heads = 0; }},
      {"negative KV heads", [](Request& r) { r.kv_heads = -8; }},
      {"heads that do not divide", [](Request& r) { r.kv_heads = 5; }},
      {"more KV heads than query heads", [](Request& r) { r.kv_heads = 64; }},
      {"an empty head",
       [](Request& r) {
         r.head_dim = {0, 0};
       }},
      {"an empty v", [](Request& r) { r.head_dim.v = 0; }},
      {"an empty block", [](Request& r) { r.block_size = 0; }},
      {"two masks",
       [](Request& r) {
         r.features = {Feature::kCausal, Feature::kCross};
       }},
      {"a latent v beyond k",
       [](Request& r) {
         r.cache = CacheKind::kLatent;
         r.head_dim = {512, 576};
       }},
  };
  for (const BadRequest& c : cases) {
    Request r = test::request();
    c.change(r);
    const Status status = check(r);
    ASSERT_FALSE(status.ok()) << c.what;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalid) << c.what;
    EXPECT_FALSE(status.error().remedy.empty()) << c.what;
  }
  EXPECT_TRUE(check(test::request()).ok());
}

}  // namespace
}  // namespace attnrt
