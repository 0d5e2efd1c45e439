// What is read from a manifest, value by value.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "manifest/sets.hpp"
#include "tests/manifest/sample.hpp"

namespace attnrt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(ManifestValues, TheSampleIsReadWhole) {
  const Result<Manifest> parsed = parse_manifest(kSample, "dir/sample.yaml");
  ASSERT_TRUE(parsed.ok()) << to_string(parsed.error());
  const Manifest& m = *parsed;
  EXPECT_EQ(m.name, "sample");
  EXPECT_EQ(m.version, "0.1.0");
  EXPECT_EQ(m.vendor, "attnrt");
  EXPECT_EQ(m.license, "Apache-2.0");
  EXPECT_EQ(m.description, "A sample");
  EXPECT_EQ(m.abi, 1);
  EXPECT_EQ(m.origin, "dir/sample.yaml");
  EXPECT_THAT(m.needs_cpu, ElementsAre("avx2", "fma"));
  EXPECT_THAT(m.needs_libraries, ElementsAre("libsample.so.1"));
  EXPECT_THAT(m.warnings, IsEmpty());
  ASSERT_THAT(m.kernels, SizeIs(1));
  const KernelManifest& k = m.kernels[0];
  EXPECT_EQ(k.name, "paged_decode");
  EXPECT_EQ(k.device, DeviceKind::kCuda);
  EXPECT_THAT(k.sm, ElementsAre(80, 90, 100, 103));
  EXPECT_EQ(k.ops, EnumSet<Op>{Op::kDecode});
  EXPECT_EQ(k.max_query_tokens, 16);
  EXPECT_EQ(k.q, (EnumSet<DType>{DType::kF16, DType::kBf16}));
  EXPECT_EQ(k.out, EnumSet<DType>{DType::kBf16});
  EXPECT_EQ(k.kv, (EnumSet<Format>{Format::kBf16, Format::kFp8E4m3}));
  EXPECT_EQ(k.cache, EnumSet<CacheKind>{CacheKind::kSeparate});
  EXPECT_EQ(k.layout, (EnumSet<Layout>{Layout::kNhd, Layout::kHnd}));
  EXPECT_EQ(k.features, (Features{Feature::kCausal, Feature::kWindow}));
  EXPECT_EQ(k.tensors, EnumSet<Strides>{Strides::kPacked});
  EXPECT_EQ(k.pages, (EnumSet<Strides>{Strides::kPacked, Strides::kStrided}));
  EXPECT_EQ(k.alignment, 16);
  EXPECT_EQ(k.score, 80);
  EXPECT_THAT(k.unknown_keys, IsEmpty());
}

TEST(ManifestValues, DefaultsAreThoseOfTheDesign) {
  std::string text = with("    query_tokens: {max: 16}\n", "");
  for (const char* line :
       {"    out: [bf16]\n", "    cache: [separate]\n", "    score: 80\n",
        "    tensors: [packed]\n", "    pages: [packed, strided]\n", "    alignment: 16\n",
        "needs: {cpu: [avx2, fma], libraries: [libsample.so.1]}\n"}) {
    text.replace(text.find(line), std::string_view(line).size(), "");
  }
  const Result<Manifest> parsed = parse_manifest(text, "m");
  ASSERT_TRUE(parsed.ok()) << to_string(parsed.error());
  const KernelManifest& k = parsed->kernels[0];
  EXPECT_EQ(k.max_query_tokens, 1);
  EXPECT_TRUE(k.out.empty());
  EXPECT_EQ(k.cache, EnumSet<CacheKind>{CacheKind::kSeparate});
  // All that plugin.h allows: manifests without these keys were written for it.
  EXPECT_EQ(k.tensors, (EnumSet<Strides>{Strides::kPacked, Strides::kStrided}));
  EXPECT_EQ(k.pages, (EnumSet<Strides>{Strides::kPacked, Strides::kStrided}));
  EXPECT_EQ(k.alignment, 1);
  EXPECT_EQ(k.score, 0);
  EXPECT_THAT(parsed->needs_cpu, IsEmpty());
}

struct SizeCase {
  int32_t value;
  bool listed;
};

TEST(ManifestValues, SizesAreThoseListedAndNoOthers) {
  const KernelManifest k = parse_manifest(kSample, "m")->kernels[0];
  for (const SizeCase& c : {SizeCase{0, false}, {1, true}, {16, true}, {17, false}, {-4, false}}) {
    EXPECT_EQ(k.group.contains(c.value), c.listed) << c.value;
  }
  for (const SizeCase& c : {SizeCase{0, false},
                            {8, false},
                            {16, true},
                            {24, false},
                            {48, true},
                            {64, true},
                            {80, false},
                            {-16, false}}) {
    EXPECT_EQ(k.block_size.contains(c.value), c.listed) << c.value;
  }
  for (const SizeCase& c : {SizeCase{64, true},
                            {32, false},
                            {96, true},
                            {112, false},
                            {128, true},
                            {160, true},
                            {192, false}}) {
    EXPECT_EQ(k.head_dim.contains({c.value, c.value}), c.listed) << c.value;
  }
  EXPECT_TRUE(k.head_dim.contains({192, 128}));
  EXPECT_FALSE(k.head_dim.contains({128, 192}));
  EXPECT_FALSE(k.head_dim.contains({128, 96}));  // a range lists [N, N] only
}

TEST(ManifestValues, SetsReadAsPeopleWould) {
  const KernelManifest k = parse_manifest(kSample, "m")->kernels[0];
  EXPECT_EQ(to_string(k.head_dim), "64, 192,128, multiples of 32 from 96 to 160");
  EXPECT_EQ(to_string(k.block_size), "multiples of 16 from 16 to 64");
  EXPECT_EQ(to_string(k.group), "1 to 16");
  EXPECT_THAT(to_strings(k.head_dim), ElementsAre("64", "192,128", HasSubstr("multiples")));
}

struct LaterValue {
  const char* from;
  const char* to;
  const char* warning;
};

TEST(ManifestValues, ThoseOfALaterVersionNeverMatchAndAreWarnings) {
  const LaterValue cases[] = {
      {"[bf16, fp8_e4m3]", "[bf16, fp2_future]", "'fp2_future' of kv"},
      {"[bf16, fp8_e4m3]", "[bf16, fp8]", "'fp8' of kv"},  // a spelling is no canonical name
      {"[bf16, fp8_e4m3]", "[bf16, auto]", "'auto' of kv"},
      {"q: [f16, bf16]", "q: [f16, half]", "'half' of q"},
      {"[80, 90a, 100f]", "[80, 999]", "'999' of sm"},
      {"[80, 90a, 100f]", "[80, 90+]", "'90+' of sm"},
      {"op: [decode]", "op: [decode, speculate]", "'speculate' of op"},
      {"[causal, window]", "[causal, holographic]", "'holographic' of features"},
      {"[nhd, hnd]", "[nhd, dnh]", "'dnh' of layout"},
      {"cache: [separate]", "cache: [separate, holey]", "'holey' of cache"},
      {"device: cuda", "device: quantum", "unknown device 'quantum'"},
      {"cpu: [avx2, fma]", "cpu: [avx2, avx9000]", "'avx9000'"},
  };
  for (const LaterValue& c : cases) {
    const Result<Manifest> manifest = parse_manifest(with(c.from, c.to), "m.yaml");
    ASSERT_TRUE(manifest.ok()) << c.to << ": " << to_string(manifest.error());
    EXPECT_THAT(manifest->warnings, ElementsAre(HasSubstr(c.warning))) << c.to;
    EXPECT_THAT(manifest->warnings[0], HasSubstr("m.yaml:")) << c.to;
  }
  EXPECT_EQ(parse_manifest(with("device: cuda", "device: quantum"), "m")->kernels[0].device,
            std::nullopt);
  EXPECT_THAT(parse_manifest(with("[80, 90a, 100f]", "[999]"), "m")->kernels[0].sm, IsEmpty());
}

TEST(ManifestValues, OpsAndFeaturesParseBack) {
  for (Op op : {Op::kAppend, Op::kPrefill, Op::kDecode, Op::kMixed, Op::kMerge}) {
    EXPECT_EQ(*parse_op(name(op)), op);
  }
  for (int i = 0; i < kFeatureCount; ++i) {
    const auto feature = static_cast<Feature>(i);
    EXPECT_EQ(*parse_feature(name(feature)), feature);
  }
  EXPECT_FALSE(parse_op("Decode").ok());
  EXPECT_FALSE(parse_feature("").ok());
}

}  // namespace
}  // namespace attnrt
