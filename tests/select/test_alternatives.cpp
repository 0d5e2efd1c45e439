// Alternatives: each works when put back, none smaller is left out, and facts never change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/select/random_catalogs.hpp"

namespace attnrt {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using Texts = std::vector<std::pair<std::string, std::string>>;

std::vector<std::string> texts(const std::vector<Alternative>& alternatives) {
  std::vector<std::string> all;
  for (const Alternative& a : alternatives) {
    std::string text;
    for (const auto& [key, value] : a.change) text += (text.empty() ? "" : " ") + key + "=" + value;
    all.push_back(text);
  }
  return all;
}

TEST(Alternatives, NoneWhereTheRequestIsServed) {
  const Catalog catalog = test::catalog({test::plugin("p", {test::kernel("k")})});
  EXPECT_THAT(alternatives(test::request(), catalog), IsEmpty());
}

TEST(Alternatives, FactsOfTheModelNeverChange) {
  const Catalog catalog = test::catalog({test::plugin("p", {test::kernel("k")})});
  for (const auto& change : std::vector<void (*)(Request&)>{
           [](Request& r) {
             r.head_dim = {64, 64};
           },
           [](Request& r) { r.kv_heads = 32; },
           [](Request& r) { r.features = {Feature::kNonCausal}; },
           [](Request& r) { r.features.insert(Feature::kWindow); },
           [](Request& r) { r.features.insert(Feature::kSinks); },
           [](Request& r) { r.features.insert(Feature::kSoftcap); },
           [](Request& r) { r.features.insert(Feature::kLse); },
           [](Request& r) { r.q = DType::kF32; }, [](Request& r) { r.op = Op::kMixed; },
           [](Request& r) { r.query_tokens = 2; },
           [](Request& r) { r.cache = CacheKind::kLatent; }}) {
    Request r = test::request();
    change(r);
    EXPECT_THAT(alternatives(r, catalog), IsEmpty());
  }
}

TEST(Alternatives, AreOrderedByKeysChangedThenByKey) {
  KernelManifest layout = test::kernel("layout"), block = test::kernel("block"),
                 kv = test::kernel("kv"), features = test::kernel("features"),
                 two = test::kernel("two");
  const Features asked{Feature::kCausal, Feature::kGraph};
  for (KernelManifest* k : {&layout, &block, &kv, &two}) k->features = asked;
  KernelManifest device = test::cuda_kernel("device", {90});
  device.features = asked;
  layout.layout = {Layout::kHnd};
  block.block_size.values = {32};
  kv.kv = {Format::kF16};
  two.kv = {Format::kFp8E4m3};
  two.block_size.values = {64};
  Request r = test::request();
  r.features = asked;
  const Catalog catalog =
      test::catalog({test::plugin("p", {two, device, features, kv, block, layout})});
  EXPECT_THAT(texts(alternatives(r, catalog)),
              ElementsAre("layout=hnd", "block_size=32", "kv=f16", "features=causal",
                          "device=cuda:sm_90", "block_size=64 kv=fp8_e4m3"));
}

TEST(Alternatives, FormatsAreNearestInBytesFirst) {
  KernelManifest k = test::kernel("k");
  k.kv = {Format::kF32, Format::kBf16, Format::kInt4PerTokenHead, Format::kFp8E5m2,
          Format::kInt8PerTokenHead};
  Request r = test::request();
  r.kv = Format::kNvfp4Linear;  // 72 bytes a row
  const Catalog catalog = test::catalog({test::plugin("p", {k})});
  EXPECT_THAT(texts(alternatives(r, catalog)),
              ElementsAre("kv=int4_per_token_head", "kv=fp8_e5m2", "kv=int8_per_token_head",
                          "kv=bf16", "kv=f32"));
  EXPECT_EQ(alternatives(r, catalog)[1].kv_bytes_per_token, 2 * 8 * 128);
}

TEST(Alternatives, FormatsOfUnknownBytesComeLast) {
  KernelManifest k = test::kernel("k");
  k.kv = {Format::kTurboquantK8v4, Format::kF32};
  Request r = test::request();
  r.kv = Format::kInt4PerTokenHead;
  EXPECT_THAT(texts(alternatives(r, test::catalog({test::plugin("p", {k})}))),
              ElementsAre("kv=f32", "kv=turboquant_k8v4"));
}

TEST(Alternatives, BlockSizesAreTheNearestThreeOfTheirKind) {
  KernelManifest k = test::kernel("k"), other = test::kernel("other");
  k.block_size = {{}, {{16, 16, 1024}}};
  k.features.insert(Feature::kGraph);
  other.block_size.values = {40};
  Request r = test::request();
  r.block_size = 40;
  r.features.insert(Feature::kGraph);
  EXPECT_THAT(texts(alternatives(r, test::catalog({test::plugin("p", {k, other})}))),
              ElementsAre("block_size=32", "block_size=48", "block_size=16", "features=causal"));
}

TEST(Alternatives, TheFirstMemberOfARangeMayLieAboveItsMinimum) {
  KernelManifest k = test::kernel("k");
  k.block_size = {{}, {{32, 40, 64}}};
  EXPECT_THAT(texts(alternatives(test::request(), test::catalog({test::plugin("p", {k})}))),
              ElementsAre("block_size=64"));
}

TEST(Alternatives, DevicesAreSpelledAsTheOptionTakesThem) {
  CatalogEntry any = test::plugin("any", {test::kernel("k")});
  CatalogEntry picky = test::plugin("picky", {test::kernel("k")});
  picky.manifest.needs_cpu = {"fma", "avx2"};
  KernelManifest rocm = test::kernel("r");
  rocm.device = DeviceKind::kRocm;
  rocm.gfx = {"gfx942"};
  KernelManifest xpu = test::kernel("x");
  xpu.device = DeviceKind::kXpu;
  const Catalog catalog = test::catalog(
      {any, picky, test::plugin("gpu", {test::cuda_kernel("c", {90, 100}), rocm, xpu})});
  Request r = test::request();
  r.device = test::cuda(120);
  const std::vector<Alternative> found = alternatives(r, catalog);
  EXPECT_THAT(texts(found), ElementsAre("device=cuda:sm_100", "device=cuda:sm_90", "device=cpu",
                                        "device=cpu:avx2+fma", "device=rocm:gfx942", "device=xpu"));
  for (const Alternative& a : found) {
    const Result<Device> device = parse_device(a.change[0].second, {});
    ASSERT_TRUE(device.ok());
    EXPECT_EQ(device->kind, a.request.device.kind);
  }
}

TEST(Alternatives, MoreCpuFeaturesMayBeTheWayOut) {
  CatalogEntry entry = test::plugin("p", {test::kernel("k")});
  entry.manifest.needs_cpu = {"avx2"};
  Request r = test::request();
  EXPECT_THAT(texts(alternatives(r, test::catalog({entry}))), ElementsAre("device=cpu:avx2"));
  entry.missing_libraries = {"libabsent.so"};
  r.device.ordinal = 0;
  EXPECT_THAT(alternatives(r, test::catalog({entry})), IsEmpty());
}

TEST(Alternatives, OnlyGuaranteesAreGivenUp) {
  KernelManifest k = test::kernel("k");
  k.features = {Feature::kCausal, Feature::kWindow};
  Request r = test::request();
  r.features = {Feature::kCausal, Feature::kWindow, Feature::kBatchInvariant,
                Feature::kDeviceLengths};
  EXPECT_THAT(texts(alternatives(r, test::catalog({test::plugin("p", {k})}))),
              ElementsAre("features=causal,window"));
}

TEST(Alternatives, AtMostEight) {
  KernelManifest k = test::kernel("k");
  k.kv = {};
  for (const FormatInfo& f : all_formats()) {
    if (!f.latent_only && f.format != Format::kBf16) k.kv.insert(f.format);
  }
  EXPECT_EQ(alternatives(test::request(), test::catalog({test::plugin("p", {k})})).size(), 8u);
}

TEST(Alternatives, ASpellingOfTwoLayoutsCountsAsOneFormat) {
  KernelManifest k = test::cuda_kernel("k", {100});
  k.kv = {Format::kNvfp4Swizzled};
  Request r = test::request();
  r.device = test::cuda(120);
  const Format nvfp4[] = {Format::kNvfp4Linear, Format::kNvfp4Swizzled};
  const auto found = alternatives(r, nvfp4, test::catalog({test::plugin("p", {k})}));
  // The format stays as it was spelled: kv is not among the changes.
  EXPECT_THAT(texts(found), ElementsAre("device=cuda:sm_100"));
}

// A CPU with what plugins here need; of this machine if the request's is, with its missing
// libraries.
Device other_cpu(const Device& asked) {
  Device cpu = test::cpu({"avx2"});
  if (asked.kind == DeviceKind::kCpu) cpu.ordinal = asked.ordinal;
  return cpu;
}

// All changes of one or two keys over every value that could matter, tried one by one.
std::vector<Request> neighbours(const Request& asked) {
  std::vector<std::vector<Request (*)(Request)>> keys{
      {[](Request r) { return r.layout = Layout::kNhd, r; },
       [](Request r) { return r.layout = Layout::kHnd, r; }},
      {[](Request r) { return r.block_size = 16, r; },
       [](Request r) { return r.block_size = 32, r; },
       [](Request r) { return r.block_size = 64, r; },
       [](Request r) { return r.block_size = 128, r; }},
      {[](Request r) { return r.kv = Format::kBf16, r; },
       [](Request r) { return r.kv = Format::kF16, r; },
       [](Request r) { return r.kv = Format::kFp8E4m3, r; },
       [](Request r) { return r.kv = Format::kNvfp4Linear, r; },
       [](Request r) { return r.kv = Format::kFp8DsMlaV32, r; }},
      {[](Request r) { return r.tensors = Strides::kPacked, r; }},
      {[](Request r) { return r.pages = Strides::kPacked, r; }},
      {[](Request r) { return r.alignment = 8, r; }, [](Request r) { return r.alignment = 64, r; }},
      {[](Request r) { return r.features.erase(Feature::kBatchInvariant), r; },
       [](Request r) { return r.features.erase(Feature::kGraph), r; }},
      {[](Request r) { return r.device = test::cuda(90), r; },
       [](Request r) { return r.device = test::cuda(100), r; },
       [](Request r) { return r.device = other_cpu(r.device), r; },
       [](Request r) { return r.device = {.kind = DeviceKind::kRocm, .gfx = "gfx942"}, r; }}};
  std::vector<Request> all;
  for (size_t i = 0; i < keys.size(); ++i) {
    for (const auto& first : keys[i]) {
      all.push_back(first(asked));
      for (size_t j = i + 1; j < keys.size(); ++j) {
        for (const auto& second : keys[j]) all.push_back(second(first(asked)));
      }
    }
  }
  return all;
}

TEST(Alternatives, PackRowsOrNameWhoTakesThemAsTheyAre) {
  KernelManifest narrow = test::kernel("narrow"), wide = test::kernel("wide");
  narrow.tensors = narrow.pages = {Strides::kPacked};
  narrow.alignment = 16;
  wide.kv = {Format::kFp8E4m3};
  const Catalog catalog = test::catalog({test::plugin("p", {narrow}), test::plugin("q", {wide})});
  Request r = test::request();
  r.pages = Strides::kStrided;
  EXPECT_THAT(texts(alternatives(r, catalog)), ElementsAre("kv=fp8_e4m3", "pages=packed"));
  r.tensors = Strides::kStrided;
  r.alignment = 4;
  EXPECT_THAT(texts(alternatives(r, catalog)),
              ElementsAre("kv=fp8_e4m3", "tensors=packed pages=packed alignment=16"));
}

TEST(Alternatives, NoAlignmentHelpsWhereTheFormatsRowsStandInTheWay) {
  KernelManifest k = test::kernel("k");
  k.kv = {Format::kBf16, Format::kInt8PerTokenHead};
  k.pages = {Strides::kPacked};
  k.alignment = 16;
  const Catalog catalog = test::catalog({test::plugin("p", {k})});
  Request r = test::request();
  r.kv = Format::kInt8PerTokenHead;
  EXPECT_THAT(texts(alternatives(r, catalog)), ElementsAre("kv=bf16"));
  r.pages = Strides::kStrided;
  EXPECT_THAT(texts(alternatives(r, catalog)), ElementsAre("kv=bf16 pages=packed"));
  r = test::request();
  r.alignment = 8;
  EXPECT_THAT(texts(alternatives(r, catalog)), ElementsAre("alignment=16"));
}

TEST(AlternativesOracle, AllWorkAndNothingNearIsMissed) {
  test::RandomCatalogs random(3);
  int with = 0, without = 0;
  for (int round = 0; round < 1500; ++round) {
    const Catalog catalog = test::catalog(random.plugins(4));
    const Request asked = random.request();
    if (select(asked, catalog).chosen) continue;
    const std::vector<Alternative> found = alternatives(asked, catalog);
    ASSERT_LE(found.size(), 8u);
    for (const Alternative& a : found) {
      const Decision d = select(a.request, catalog);
      ASSERT_TRUE(d.chosen) << round;
      EXPECT_EQ(d.candidates[*d.chosen].plugin, a.plugin);
      EXPECT_EQ(d.candidates[*d.chosen].kernel, a.kernel);
      EXPECT_FALSE(a.change.empty());
      EXPECT_EQ(a.request.head_dim, asked.head_dim);
      EXPECT_EQ(a.request.q_heads, asked.q_heads);
      EXPECT_EQ(a.request.kv_heads, asked.kv_heads);
      EXPECT_EQ(a.request.cache, asked.cache);
      EXPECT_EQ(a.request.q, asked.q);
      EXPECT_EQ(a.request.op, asked.op);
    }
    for (size_t i = 1; i < found.size(); ++i) {
      EXPECT_LE(found[i - 1].change.size(), found[i].change.size()) << round;
    }
    if (!found.empty()) {
      ++with;
      continue;
    }
    ++without;
    for (const Request& r : neighbours(asked)) {
      // Not offered: `fp8` would become another format there.
      const bool fp8_moves = r.op != Op::kMerge && r.kv == Format::kFp8E4m3 && r.kv == asked.kv &&
                             r.device.gfx != asked.device.gfx;
      ASSERT_FALSE(select(r, catalog).chosen && !fp8_moves)
          << round << " " << to_string(asked.device) << " -> " << to_string(r.device) << ", "
          << name(asked.op) << " " << name(asked.kv) << " -> " << name(r.kv) << ", "
          << name(asked.layout) << asked.block_size << " -> " << name(r.layout) << r.block_size
          << ", features " << asked.features.bits() << " -> " << r.features.bits();
    }
  }
  EXPECT_GT(with, 100);
  EXPECT_GT(without, 100);
}

}  // namespace
}  // namespace attnrt
