// Every format and head size that the manifest lists is in the binary, and nothing else; without a
// device a kernel is an error with a text.
#include <gtest/gtest.h>

#include "plugins/flashinfer/hopper.hpp"
#include "plugins/flashinfer/support.hpp"
#include "plugins/flashinfer/xqa.hpp"
#include "tests/support/plugin_manifest.hpp"

namespace attnrt::flashinfer {
namespace {

TEST(FlashInferKernels, AreCompiledForWhatTheManifestLists) {
  const Manifest manifest = testing::read_plugin_manifest("flashinfer");
  for (const KernelSupport& k : kKernels) {
    const KernelManifest& m = testing::kernel_of(manifest, k.name);
    for (int32_t dim = 1; dim <= 1024; ++dim) {
      for (const NamedFormat& f : k.formats) {
        const AttendKernel kernel{k.half, f.stored, dim};
        if (k.path == Path::kXqa) continue;
        EXPECT_EQ(k.path == Path::kFa2 ? has_attend(kernel) : has_hopper(kernel),
                  m.head_dim.contains({dim, dim}))
            << k.name << ' ' << f.name << ' ' << dim;
      }
    }
  }
}

TEST(FlashInferKernels, AreCompiledForXqasGroupsAndBlocks) {
  const Manifest manifest = testing::read_plugin_manifest("flashinfer");
  const KernelManifest& m = testing::kernel_of(manifest, "decode_xqa");
  for (int32_t group = 0; group <= 128; ++group) {
    for (int32_t block = 0; block <= 256; ++block) {
      EXPECT_EQ(has_xqa({group, block}), m.group.contains(group) && m.block_size.contains(block))
          << group << ' ' << block;
    }
  }
}

TEST(FlashInferKernels, AreNoneForPairsThatNoKernelLists) {
  for (const Half half : {Half::kBf16, Half::kF16}) {
    for (const Stored s : {Stored::kBf16, Stored::kF16, Stored::kE4m3, Stored::kE5m2}) {
      bool listed = false;
      for (const KernelSupport& k : kKernels) {
        if (k.path != Path::kFa2) continue;
        for (const NamedFormat& f : k.formats) listed |= k.half == half && f.stored == s;
      }
      EXPECT_EQ(has_attend({half, s, 128}), listed);
    }
  }
}

TEST(FlashInferKernels, SayWhyWhereOneWasNotCompiled) {
  EXPECT_NE(prepare_attend({Half::kBf16, Stored::kF16, 128}, 0), nullptr);
  EXPECT_NE(prepare_attend({Half::kBf16, Stored::kBf16, 96}, 0), nullptr);
  EXPECT_NE(prepare_hopper({Half::kBf16, Stored::kE4m3, 128}), nullptr);
  uint32_t shared = 0;
  EXPECT_NE(prepare_xqa({4, 48}, shared), nullptr);
}

}  // namespace
}  // namespace attnrt::flashinfer
