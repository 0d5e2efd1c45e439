// The dispatch table and the manifest say the same.
#include "plugins/cpu/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/plugin_manifest.hpp"

namespace attnrt::cpu {
namespace {

class Support : public ::testing::Test {
 protected:
  const Manifest manifest_ = testing::read_plugin_manifest("cpu");

  const KernelManifest& listed(const KernelSupport& kernel) const {
    return testing::kernel_of(manifest_, kernel.name);
  }
};

TEST_F(Support, HasTheManifestsKernels) {
  EXPECT_EQ(testing::names_of(manifest_.kernels), testing::names_of(kKernels));
  EXPECT_TRUE(manifest_.warnings.empty());
}

TEST_F(Support, HasItsOpsAndFeatures) {
  for (const KernelSupport& k : kKernels) {
    const KernelManifest& m = listed(k);
    EXPECT_EQ(m.ops.bits(), k.ops) << k.name;
    EXPECT_EQ(m.features.bits(), k.features) << k.name;
    EXPECT_TRUE(!m.ops.contains(Op::kDecode) || m.max_query_tokens == kDecodeTokens);
  }
}

TEST_F(Support, HasItsTypesAndFormats) {
  for (const KernelSupport& k : kKernels) {
    const KernelManifest& m = listed(k);
    for (int32_t d = ATTNRT_DTYPE_F64; d <= ATTNRT_DTYPE_FP8_E4M3FNUZ; ++d) {
      const auto has = [&](std::span<const int32_t> list) {
        return std::find(list.begin(), list.end(), d) != list.end();
      };
      EXPECT_EQ(m.q.contains(static_cast<DType>(d)), has(k.q)) << k.name << " q " << d;
      EXPECT_EQ(m.out.contains(static_cast<DType>(d)), has(k.out)) << k.name << " out " << d;
    }
    for (int32_t f = 0; f < kFormatCount; ++f) {
      const auto format = static_cast<attnrt::Format>(f);
      const bool has = std::any_of(k.formats.begin(), k.formats.end(),
                                   [&](const NamedFormat& n) { return n.name == name(format); });
      EXPECT_EQ(m.kv.contains(format), has) << k.name << " kv " << name(format);
    }
  }
}

TEST_F(Support, HasItsSizes) {
  for (const KernelSupport& k : kKernels) {
    const KernelManifest& m = listed(k);
    for (int32_t qk = 1; qk <= 600; ++qk) {
      for (const int32_t v : {qk, 64, 128, 192, 256, 512}) {
        const bool has = std::any_of(k.head_dims.begin(), k.head_dims.end(),
                                     [&](const HeadDims& d) { return d.has(qk, v); });
        EXPECT_EQ(m.head_dim.contains({qk, v}), has) << k.name << " " << qk << ", " << v;
      }
    }
    if (k.cache_kind == 0) continue;
    for (int32_t n = 1; n <= 300; ++n) {
      EXPECT_EQ(m.block_size.contains(n), n <= k.max_block && n % k.block_step == 0)
          << k.name << " block " << n;
      EXPECT_EQ(m.group.contains(n), n <= k.max_group) << k.name << " group " << n;
    }
    EXPECT_EQ(m.cache, EnumSet<CacheKind>{static_cast<CacheKind>(k.cache_kind)}) << k.name;
    EXPECT_EQ(m.layout, (EnumSet<Layout>{Layout::kNhd, Layout::kHnd})) << k.name;
  }
}

}  // namespace
}  // namespace attnrt::cpu
