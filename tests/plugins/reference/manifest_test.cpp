// The manifest and the code say the same.
#include "attnrt/manifest.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/plugins/reference/attention_fixture.hpp"

namespace attnrt::testing {
namespace {

Manifest manifest() {
  const std::string path = ATTNRT_SOURCE_DIR "/plugins/reference/manifest.yaml";
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  Result<Manifest> read = parse_manifest(text, path);
  if (!read) throw std::runtime_error(to_string(read.error()));
  return *read;
}

// The head sizes of a kernel that are worth a try: pairs, ends of ranges, one in between.
std::vector<HeadDim> samples(const HeadDimSet& set) {
  std::vector<HeadDim> all = set.pairs;
  for (const IntRange& r : set.ranges) {
    for (const int32_t n : {r.min, r.min + r.multiple_of, r.max}) {
      if (set.contains({n, n})) all.push_back({n, n});
    }
  }
  return all;
}

TEST(ReferenceManifest, HasNoWarningsAndUnknownKeys) {
  const Manifest m = manifest();
  EXPECT_TRUE(m.warnings.empty());
  for (const KernelManifest& k : m.kernels) EXPECT_TRUE(k.unknown_keys.empty()) << k.name;
}

TEST(ReferenceManifest, ListsEveryFormatWhoseBytesAreKnown) {
  EnumSet<Format> listed;
  for (const KernelManifest& k : manifest().kernels) {
    listed = EnumSet<Format>::from_bits(listed.bits() | k.kv.bits());
  }
  for (const FormatInfo& f : all_formats()) {
    EXPECT_EQ(listed.contains(f.format), f.byte_layout_known) << f.name;
  }
}

TEST(ReferenceManifest, ListsOnlyWhatPreparesSuccessfully) {
  PluginDriver driver(kReferencePlugin);
  int prepared = 0;
  for (const KernelManifest& k : manifest().kernels) {
    for (const FormatInfo& f : all_formats()) {
      if (!k.kv.contains(f.format)) continue;
      const std::string format(f.name);
      for (const HeadDim d : samples(k.head_dim)) {
        for (const int32_t op : {ATTNRT_OP_APPEND, ATTNRT_OP_MIXED}) {
          attnrt_layer_class c = make_layer_class(op, format.c_str(), 4, 1, d.qk, d.v);
          c.cache_kind = static_cast<int32_t>(
              k.cache.contains(CacheKind::kLatent) ? CacheKind::kLatent : CacheKind::kSeparate);
          EXPECT_NO_THROW(driver.prepare(k.name, c)) << k.name << " " << f.name << " " << d.qk;
          ++prepared;
        }
      }
    }
  }
  EXPECT_GT(prepared, 100);
}

TEST(ReferenceManifest, CoversEveryFeatureOfVersionOne) {
  for (const KernelManifest& k : manifest().kernels) {
    if (k.ops.contains(Op::kMerge)) continue;
    for (int i = 0; i < kFeatureCount; ++i) {
      const auto feature = static_cast<Feature>(i);
      const bool for_devices = feature == Feature::kGraph || feature == Feature::kDeviceLengths;
      const bool expected = !for_devices && feature != Feature::kSparse;
      EXPECT_EQ(k.features.contains(feature), expected) << k.name << " " << name(feature);
    }
  }
}

}  // namespace
}  // namespace attnrt::testing
