// A manifest that is valid, and ways to make it otherwise.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "attnrt/manifest.hpp"

namespace attnrt {

inline constexpr std::string_view kSample = R"(attnrt_manifest: 1
plugin: {name: sample, version: 0.1.0, vendor: attnrt, license: Apache-2.0, description: A sample}
abi: 1
needs: {cpu: [avx2, fma], libraries: [libsample.so.1]}
kernels:
  - name: paged_decode
    device: cuda
    sm: [80, 90a, 100f]
    op: [decode]
    query_tokens: {max: 16}
    q: [f16, bf16]
    out: [bf16]
    kv: [bf16, fp8_e4m3]
    cache: [separate]
    head_dim: [64, [192, 128], {multiple_of: 32, min: 96, max: 160}]
    block_size: {multiple_of: 16, min: 16, max: 64}
    layout: [nhd, hnd]
    group: {max: 16}
    features: [causal, window]
    tensors: [packed]
    pages: [packed, strided]
    alignment: 16
    score: 80
)";

// The sample with `from` (which must stand in it exactly once) replaced.
inline std::string with(std::string_view from, std::string_view to) {
  std::string text(kSample);
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  EXPECT_EQ(text.find(from, at + 1), std::string::npos) << from << " stands twice";
  return text.replace(at, from.size(), to);
}

}  // namespace attnrt
