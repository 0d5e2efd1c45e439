// The bare manifests themselves: valid, complete, named as the engines name their backends.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "attnrt/plugin.h"
#include "tests/rules/catalog.hpp"

namespace attnrt::rules {
namespace {

// Every backend of the engine, as it names them, in lower case.
const std::set<std::string> kBackends{
    "b12x",
    "cpu_attn",
    "cpu_mla",
    "cutlass_mla",
    "flash_attn",
    "flash_attn_diffkv",
    "flash_attn_mla",
    "flashinfer",
    "flashinfer_mla",
    "flashinfer_mla_sparse",
    "flashinfer_mla_sparse_sm120",
    "flashinfer_mla_sparse_sm90",
    "flashmla",
    "flashmla_sparse",
    "flex_attention",
    "hpc_attn",
    "rocm_aiter_fa",
    "rocm_aiter_mla",
    "rocm_aiter_unified_attn",
    "rocm_attn",
    "rocm_segmented_attn",
    "tokenspeed_mla",
    "triton_attn",
    "triton_attn_diffkv",
    "triton_mla",
    "turboquant",
    "ultraquant",
    "xpu_mla_sparse",
};

TEST(BareManifests, OneForEveryBackendAndNoOther) {
  std::set<std::string> files;
  for (const auto& file : yaml_files("manifests")) files.insert(file.stem().string());
  EXPECT_EQ(files, kBackends);
}

class BareManifest : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(BareManifest, IsValidWithoutAWarning) {
  const Manifest manifest = read_manifest(GetParam());
  EXPECT_EQ(manifest.name, GetParam().stem().string());
  EXPECT_TRUE(manifest.warnings.empty()) << manifest.warnings.front();
  EXPECT_FALSE(manifest.kernels.empty());
  EXPECT_LE(read_text(GetParam()).size(), size_t{ATTNRT_MANIFEST_MAX_BYTES});
}

// A value that this version does not know would silently never match.
TEST_P(BareManifest, UsesOnlyWordsThatAttnrtKnows) {
  for (const KernelManifest& kernel : read_manifest(GetParam()).kernels) {
    EXPECT_TRUE(kernel.device.has_value()) << kernel.name;
    EXPECT_TRUE(kernel.unknown_keys.empty()) << kernel.name << ": " << kernel.unknown_keys.front();
    EXPECT_FALSE(kernel.ops.empty()) << kernel.name;
    EXPECT_FALSE(kernel.q.empty()) << kernel.name;
    EXPECT_FALSE(kernel.kv.empty()) << kernel.name;
    EXPECT_FALSE(kernel.features.empty()) << kernel.name;
    const bool wants_sm = kernel.device == DeviceKind::kCuda;
    EXPECT_EQ(wants_sm, !kernel.sm.empty()) << kernel.name;
    const bool wants_gfx = kernel.device == DeviceKind::kRocm;
    EXPECT_EQ(wants_gfx, !kernel.gfx.empty()) << kernel.name;
    for (int32_t sm : kernel.sm) {
      EXPECT_TRUE(std::ranges::find(known_sms(), sm) != known_sms().end()) << kernel.name << sm;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Todays, BareManifest, testing::ValuesIn(yaml_files("manifests")),
                         [](const auto& tested) { return tested.param.stem().string(); });

}  // namespace
}  // namespace attnrt::rules
