// What a plan for a GPU gets from the manifest alone, on a machine that has neither GPU nor
// toolkit.
#include <gtest/gtest.h>

#include "attnrt/select.hpp"
#include "tests/support/plugin_manifest.hpp"

namespace attnrt {
namespace {

Catalog cuda_alone() {
  CatalogEntry entry;
  entry.manifest = testing::read_plugin_manifest("cuda");
  return Catalog({entry});
}

class CudaRoutes : public ::testing::Test {
 protected:
  // The kernel that serves a request, or the empty text.
  std::string serves(const Request& request) const {
    const Decision decision = select(request, catalog_);
    if (!decision.chosen) return {};
    const Candidate& chosen = decision.candidates[*decision.chosen];
    return catalog_.entries()[chosen.plugin].manifest.kernels[chosen.kernel].name;
  }
  static Request decode_on(int32_t sm) {
    Request r;
    r.device = {.kind = DeviceKind::kCuda, .sm = sm};
    return r;
  }

  const Catalog catalog_ = cuda_alone();
};

TEST_F(CudaRoutes, ServesEveryListedDeviceAndItsFamilyAlone) {
  for (const int32_t sm : {80, 86, 89, 90, 100, 103, 120, 121}) {
    EXPECT_EQ(serves(decode_on(sm)), "attend") << sm;
  }
  for (const int32_t sm : {70, 75, 87, 101, 110}) EXPECT_EQ(serves(decode_on(sm)), "") << sm;
}

TEST_F(CudaRoutes, ServesNvfp4WhereTheSmHasNoFp4) {
  for (const int32_t sm : {90, 120}) {
    Request r = decode_on(sm);
    r.kv = Format::kNvfp4Linear;
    EXPECT_EQ(serves(r), "attend_nvfp4") << sm;
    r.kv = Format::kNvfp4Swizzled;
    EXPECT_EQ(serves(r), "attend_nvfp4_swizzled") << sm;
    r.q = DType::kF16;
    EXPECT_EQ(serves(r), "attend_nvfp4_swizzled_f16") << sm;
  }
}

TEST_F(CudaRoutes, ServesInt4WhereRowsCanBeRotated) {
  Request r = decode_on(90);
  r.kv = Format::kInt4PerTokenHead;
  EXPECT_EQ(serves(r), "attend_int4");
  r.q = DType::kF16;
  EXPECT_EQ(serves(r), "attend_int4_f16");
  r.head_dim = {96, 96};
  EXPECT_EQ(serves(r), "");
}

TEST_F(CudaRoutes, ServesDeepSeeksLatentRowsOffHopper) {
  Request r = decode_on(120);
  r.kv = Format::kFp8DsMlaV32;
  r.cache = CacheKind::kLatent;
  r.head_dim = {576, 512};
  r.q_heads = 128;
  r.kv_heads = 1;
  EXPECT_EQ(serves(r), "attend_ds_mla");
  r.q = DType::kF16;
  EXPECT_EQ(serves(r), "");
}

TEST_F(CudaRoutes, ServesFp8AndHeadsOf512OnSm90) {
  Request r = decode_on(90);
  r.kv = Format::kFp8E4m3;
  r.head_dim = {512, 512};
  EXPECT_EQ(serves(r), "attend");
  r.head_dim = {320, 320};
  EXPECT_EQ(serves(r), "");
}

TEST_F(CudaRoutes, RefusesWhatNoKernelOfItsHas) {
  Request r = decode_on(90);
  r.kv = Format::kFp8E4m3fnuz;
  EXPECT_EQ(serves(r), "");
  r.kv = Format::kBf16;
  r.q = DType::kF32;
  EXPECT_EQ(serves(r), "");
  r.q = DType::kF16;  // with a cache of bf16
  EXPECT_EQ(serves(r), "");
}

}  // namespace
}  // namespace attnrt
