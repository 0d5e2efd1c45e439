// The wording of reasons.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/select/catalogs.hpp"

namespace attnrt {
namespace {

std::string reasons(const Request& request, const Catalog& catalog, const Policy& policy = {}) {
  std::ostringstream text;
  for (const Candidate& c : select(request, catalog, policy).candidates) {
    for (const FailedRule& rule : explain(c, request, catalog, policy)) {
      text << name(rule.rule) << ": asked " << rule.asked << ", allowed";
      for (const std::string& allowed : rule.allowed) text << " [" << allowed << "]";
      text << "\n";
    }
  }
  return text.str();
}

TEST(Explain, GoldenWordsOfAKernelThatFailsEverything) {
  KernelManifest k = test::cuda_kernel("k", {80, 90});
  k.head_dim = {{{64, 64}, {192, 128}}, {{32, 96, 160}}};
  k.max_query_tokens = 4;
  k.unknown_keys = {"max_context"};
  k.tensors = k.pages = {Strides::kPacked};
  k.alignment = 16;
  Request r = test::request();
  r.tensors = r.pages = Strides::kStrided;
  r.alignment = 4;
  r.device = test::cuda(120);
  r.query_tokens = 8;
  r.q = DType::kF16;
  r.out = DType::kF32;
  r.kv = Format::kNvfp4Linear;
  r.cache = CacheKind::kLatent;
  r.head_dim = {576, 512};
  r.block_size = 64;
  r.layout = Layout::kHnd;
  r.q_heads = 128;
  r.kv_heads = 1;
  r.features = {Feature::kCausal, Feature::kSinks, Feature::kSparse};
  EXPECT_EQ(reasons(r, test::catalog({test::plugin("p", {k})})),
            "sm: asked 120, allowed [80] [90]\n"
            "query_tokens: asked 8, allowed [1 to 4]\n"
            "q: asked f16, allowed [bf16]\n"
            "out: asked f32, allowed [f16]\n"
            "kv: asked nvfp4_linear, allowed [bf16]\n"
            "cache: asked latent, allowed [separate]\n"
            "head_dim: asked 576,512, allowed [64] [192,128] [multiples of 32 from 96 to 160]\n"
            "block_size: asked 64, allowed [16]\n"
            "layout: asked hnd, allowed [nhd]\n"
            "group: asked 128, allowed [4]\n"
            "features: asked sinks,sparse (reserved: this version defines no parameters for it), "
            "allowed [causal]\n"
            "tensors: asked strided, allowed [packed]\n"
            "pages: asked strided, allowed [packed]\n"
            "alignment: asked 4, allowed [16]\n"
            "unknown_keys: asked keys that this version knows, allowed [max_context]\n");
}

TEST(Explain, PluginsAndMachines) {
  CatalogEntry entry = test::plugin("p", {test::kernel("k")});
  entry.manifest.needs_cpu = {"avx2", "avx512f"};
  entry.missing_libraries = {"libabsent.so.1"};
  entry.manifest.abi = 2;
  const Catalog catalog = test::catalog({entry, test::plugin("q", {test::kernel("k")})});
  Request r = test::request();
  r.device = test::cpu({"avx2"});
  r.device.ordinal = 0;
  EXPECT_EQ(reasons(r, catalog, {.require = "q"}),
            "needs: asked no avx512f, no libabsent.so.1, allowed [avx2] [avx512f] "
            "[libabsent.so.1]\n"
            "policy: asked p, allowed [q]\n"
            "plugin: asked abi 1, allowed [abi 2]\n");
}

TEST(Explain, ARequestThatNoLayerIsHarmsNobody) {
  Request r = test::request();
  r.kv_heads = 0;
  r.block_size = 0;
  r.head_dim = {0, -1};
  const Catalog catalog = test::catalog({test::plugin("p", {test::kernel("k")})});
  EXPECT_NE(reasons(r, catalog).find("group: asked 0"), std::string::npos);
  EXPECT_TRUE(alternatives(r, catalog).empty());
  EXPECT_EQ(kv_bytes_per_token(r), 0);
}

TEST(Explain, AFormatThatDoesNotExistSaysSo) {
  KernelManifest k = test::kernel("k");
  k.kv = {Format::kNvfp4Linear};
  k.head_dim.pairs = {{72, 72}};
  Request r = test::request();
  r.kv = Format::kNvfp4Linear;
  r.head_dim = {72, 72};
  EXPECT_EQ(reasons(r, test::catalog({test::plugin("p", {k})})),
            "kv: asked nvfp4_linear, which does not exist for a separate cache of head size 72, "
            "allowed [nvfp4_linear]\n");
}

TEST(Explain, RowsThatBeginWhereAKernelCannotLoadThemSayWhatBringsThemThere) {
  KernelManifest k = test::kernel("k");
  k.alignment = 16;
  k.kv = {Format::kBf16, Format::kInt8PerTokenHead};
  k.head_dim.pairs = {{128, 128}, {36, 36}};
  const Catalog catalog = test::catalog({test::plugin("p", {k})});
  Request r = test::request();
  r.kv = Format::kInt8PerTokenHead;  // 132 bytes
  EXPECT_EQ(
      reasons(r, catalog),
      "kv: asked int8_per_token_head, whose packed rows begin at multiples of 4 bytes, not of "
      "16, allowed [bf16] [int8_per_token_head]\n");
  r.pages = Strides::kStrided;  // at multiples of 16 bytes all the same, says the request
  EXPECT_EQ(reasons(r, catalog), "");
  r = test::request();
  r.head_dim = {36, 36};
  EXPECT_EQ(reasons(r, catalog),
            "kv: asked bf16, whose packed rows begin at multiples of 8 bytes, not of 16, allowed "
            "[bf16] [int8_per_token_head]\n"
            "alignment: asked 8, that of packed rows of head size 36, allowed [16]\n");
  r.pages = r.tensors = Strides::kStrided;
  EXPECT_EQ(reasons(r, catalog), "");
}

TEST(Explain, RulesAreNamedAfterTheManifestsKeys) {
  const char* names[] = {"device", "sm",       "gfx",         "op",       "query_tokens", "q",
                         "out",    "kv",       "cache",       "head_dim", "block_size",   "layout",
                         "group",  "features", "tensors",     "pages",    "alignment",    "needs",
                         "policy", "plugin",   "unknown_keys"};
  for (size_t i = 0; i < std::size(names); ++i) EXPECT_EQ(name(static_cast<Rule>(i)), names[i]);
}

}  // namespace
}  // namespace attnrt
