// The dispatch table and the manifest say the same.
#include "plugins/cuda/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "attnrt/format.hpp"
#include "tests/support/plugin_manifest.hpp"

namespace attnrt::cuda {
namespace {

class CudaSupport : public ::testing::Test {
 protected:
  const Manifest manifest_ = testing::read_plugin_manifest("cuda");

  const KernelManifest& listed(const KernelSupport& kernel) const {
    return testing::kernel_of(manifest_, kernel.name);
  }
};

TEST_F(CudaSupport, HasTheManifestsKernels) {
  EXPECT_EQ(testing::names_of(manifest_.kernels), testing::names_of(kKernels));
  EXPECT_TRUE(manifest_.warnings.empty());
}

TEST_F(CudaSupport, HasItsOpsFeaturesAndTypes) {
  for (const KernelSupport& k : kKernels) {
    const KernelManifest& m = listed(k);
    EXPECT_EQ(m.ops.bits(), kOps) << k.name;
    EXPECT_EQ(m.features.bits(), kFeatures) << k.name;
    EXPECT_EQ(m.max_query_tokens, kDecodeTokens) << k.name;
    for (int32_t d = ATTNRT_DTYPE_F64; d <= ATTNRT_DTYPE_FP8_E4M3FNUZ; ++d) {
      EXPECT_EQ(m.q.contains(static_cast<DType>(d)), d == k.q_dtype) << k.name << ' ' << d;
      EXPECT_EQ(m.out.contains(static_cast<DType>(d)), d == k.q_dtype || d == ATTNRT_DTYPE_F32)
          << k.name << ' ' << d;
    }
  }
}

TEST_F(CudaSupport, HasItsFormatsHeadsAndBlocks) {
  for (const KernelSupport& k : kKernels) {
    const KernelManifest& m = listed(k);
    std::set<std::string_view> formats;
    for (const NamedFormat& f : k.formats) formats.insert(f.name);
    for (int f = 0; f < kFormatCount; ++f) {
      const auto format = static_cast<attnrt::Format>(f);
      EXPECT_EQ(m.kv.contains(format), formats.contains(name(format))) << name(format);
    }
    for (int32_t qk = 1; qk <= 1024; ++qk) {
      for (int32_t v : {qk, 64, 128, 512}) {
        const bool own = std::count(k.head_dims.begin(), k.head_dims.end(), HeadDims{qk, v}) != 0;
        EXPECT_EQ(m.head_dim.contains({qk, v}), own) << k.name << ' ' << qk << ' ' << v;
      }
    }
    for (int32_t n = 0; n <= 512; ++n) {
      EXPECT_EQ(m.block_size.contains(n), n >= 1 && n <= kMaxBlock && n % k.block_step == 0) << n;
      EXPECT_EQ(m.group.contains(n), n >= 1 && n <= kMaxGroup) << n;
    }
    const bool latent = k.cache_kind == ATTNRT_CACHE_LATENT;
    EXPECT_EQ(m.cache.contains(CacheKind::kLatent), latent);
    EXPECT_EQ(m.cache.contains(CacheKind::kSeparate), !latent);
  }
}

}  // namespace
}  // namespace attnrt::cuda
