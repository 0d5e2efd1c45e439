// What a manifest must and must not say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/manifest/sample.hpp"

namespace attnrt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Refusal {
  const char* from;
  const char* to;
  const char* reason;  // in the error's text
};

const Refusal kRefusals[] = {
    // the frame
    {"attnrt_manifest: 1", "attnrt_manifest: 2", "expected attnrt_manifest: 1, found 2"},
    {"attnrt_manifest: 1", "attnrt_manifest: one", "expected an integer"},
    {"attnrt_manifest: 1", "x-a: 1", "the key 'attnrt_manifest'"},
    {"abi: 1\n", "", "the key 'abi'"},
    {"abi: 1\n", "abi: 0\n", "for abi"},
    {"abi: 1\n", "abi: 1\nabi: 1\n", "'abi' a second time"},
    {"name: sample, ", "", "the key 'name' in plugin"},
    {"version: 0.1.0, ", "", "the key 'version' in plugin"},
    {"license: Apache-2.0, ", "", "the key 'license' in plugin"},
    {"name: sample,", "name: '',", "a plugin's name"},
    {"name: sample,", "name: [a],", "found a list"},
    {"name: sample,", "name: ../evil,", "letters, digits"},
    {"name: sample,", "name: a b,", "letters, digits"},
    {"name: sample,", "name: sample, name: twice,", "a second time"},
    {"{cpu: [avx2, fma], libraries: [libsample.so.1]}", "[avx2]", "a map for needs"},
    {"cpu: [avx2, fma]", "cpu: avx2", "a list for needs.cpu"},
    {"cpu: [avx2, fma]", "cpu: [[avx2]]", "a text for needs.cpu"},
    // keys that a kernel must have
    {"  - name: paged_decode\n    device", "  - device", "the key 'name'"},
    {"    device: cuda\n    sm: [80, 90a, 100f]\n", "", "the key 'device'"},
    {"    sm: [80, 90a, 100f]\n", "", "the key 'sm'"},
    {"    op: [decode]\n", "", "the key 'op'"},
    {"    q: [f16, bf16]\n", "", "the key 'q'"},
    {"    kv: [bf16, fp8_e4m3]\n", "", "the key 'kv'"},
    {"    head_dim: [64, [192, 128], {multiple_of: 32, min: 96, max: 160}]\n", "",
     "the key 'head_dim'"},
    {"    block_size: {multiple_of: 16, min: 16, max: 64}\n", "", "the key 'block_size'"},
    {"    layout: [nhd, hnd]\n", "", "the key 'layout'"},
    {"    group: {max: 16}\n", "", "the key 'group'"},
    {"    features: [causal, window]\n", "", "the key 'features'"},
    {"device: cuda", "device: rocm", "the key 'gfx'"},
    {"device: cuda", "device: cpu", "sm for cuda and simt only"},
    {"sm: [80, 90a, 100f]", "sm: [80]\n    gfx: [gfx942]", "gfx for rocm only"},
    // types and values
    {"op: [decode]", "op: decode", "a list for op"},
    {"op: [decode]", "op: []", "values for op"},
    {"op: [decode]", "op: [~]", "a text for op"},
    {"op: [decode]", "op:", "a list for op, found nothing"},
    {"kv: [bf16, fp8_e4m3]", "kv: [{a: 1}]", "found a map"},
    {"kv: [bf16, fp8_e4m3]", "kv: []", "values for kv"},
    {"{max: 16}\n    q", "16\n    q", "a map for query_tokens"},
    {"{max: 16}\n    q", "{max: 0}\n    q", "for query_tokens.max"},
    {"{max: 16}\n    q", "{}\n    q", "no max"},
    {"group: {max: 16}", "group: 16", "a list for group"},
    {"group: {max: 16}", "group: []", "values for group"},
    {"group: {max: 16}", "group: {min: 2}", "max for group"},
    {"group: {max: 16}", "group: {min: 8, max: 4}", "a range that holds a value"},
    {"group: {max: 16}", "group: {max: -1}", "for group.max"},
    {"group: {max: 16}", "group: [0]", "for group"},
    {"group: {max: 16}", "group: [1.5]", "for group"},
    {"group: {max: 16}", "group: [.nan]", "for group"},
    {"group: {max: 16}", "group: [.inf]", "for group"},
    {"group: {max: 16}", "group: [1e3]", "for group"},
    {"group: {max: 16}", "group: [0x10]", "for group"},
    {"group: {max: 16}", "group: ['16']", "the text '16'"},
    {"group: {max: 16}", "group: [99999999999999999999]", "for group"},
    {"group: {max: 16}", "group: {max: 4294967297}", "for group.max"},
    {"group: {max: 16}", "group: {max: 4, max: 8}", "'max' a second time"},
    {"{multiple_of: 16, min: 16, max: 64}", "{multiple_of: 0, max: 64}", "multiple_of"},
    {"{multiple_of: 16, min: 16, max: 64}", "{multiple_of: 16, min: 17, max: 31}",
     "a range that holds a value"},
    {"[192, 128]", "[192]", "a pair [qk, v]"},
    {"[192, 128]", "[192, 128, 64]", "a pair [qk, v]"},
    {"[192, 128]", "[192, [128]]", "an integer"},
    {"[192, 128]", "wide", "an integer"},
    {"tensors: [packed]", "tensors: packed", "a list for tensors"},
    {"tensors: [packed]", "tensors: []", "values for tensors"},
    {"pages: [packed, strided]", "pages: {max: 2}", "a list for pages"},
    {"alignment: 16", "alignment: 0", "for alignment"},
    {"alignment: 16", "alignment: 24", "a power of two for alignment"},
    {"alignment: 16", "alignment: 8192", "for alignment"},
    {"alignment: 16", "alignment: [16]", "for alignment"},
    {"score: 80", "score: high", "for score"},
    {"score: 80", "score: 2000000", "for score"},
};

TEST(ManifestSchema, RefusesWithThePlaceAndTheReason) {
  for (const Refusal& c : kRefusals) {
    const Result<Manifest> manifest = parse_manifest(with(c.from, c.to), "m.yaml");
    ASSERT_FALSE(manifest.ok()) << c.to;
    EXPECT_EQ(manifest.error().code, ErrorCode::kInvalid) << c.to;
    EXPECT_THAT(to_string(manifest.error()), HasSubstr(c.reason)) << c.to;
    EXPECT_THAT(manifest.error().where, testing::MatchesRegex("m.yaml:[0-9]+:[0-9]+")) << c.to;
  }
}

TEST(ManifestSchema, ErrorsNameTheLineAndColumn) {
  const Result<Manifest> manifest =
      parse_manifest(with("    group: {max: 16}", "    group: {max: many}"), "dir/m.yaml");
  ASSERT_FALSE(manifest.ok());
  EXPECT_EQ(to_string(manifest.error()),
            "dir/m.yaml:18:18: expected an integer from 1 to 1048576 for group.max, found 'many'");
}

TEST(ManifestSchema, NoKernelsOrTwoOfOneNameAreErrors) {
  const std::string text(kSample);
  const std::string frame = text.substr(0, text.find("kernels:"));
  EXPECT_FALSE(parse_manifest(frame, "m").ok());
  EXPECT_FALSE(parse_manifest(frame + "kernels: []\n", "m").ok());
  EXPECT_FALSE(parse_manifest(frame + "kernels: {}\n", "m").ok());
  const Result<Manifest> twice = parse_manifest(text + text.substr(text.find("  - name")), "m");
  ASSERT_FALSE(twice.ok());
  EXPECT_THAT(twice.error().found, HasSubstr("'paged_decode' a second time"));
}

TEST(ManifestSchema, UnknownKeysOutsideKernelsAreWarnings) {
  const Result<Manifest> manifest =
      parse_manifest(with("abi: 1\n", "abi: 1\nfuture: {a: 1}\nx-note: free\n"), "m.yaml");
  ASSERT_TRUE(manifest.ok());
  EXPECT_THAT(manifest->warnings, ElementsAre(HasSubstr("m.yaml:4:1: unknown key 'future'")));
  EXPECT_THAT(parse_manifest(with("vendor:", "site: a, x-b: c, vendor:"), "m")->warnings,
              ElementsAre(HasSubstr("'site' in plugin")));
  EXPECT_THAT(parse_manifest(with("{cpu:", "{driver: 550, cpu:"), "m")->warnings,
              ElementsAre(HasSubstr("'driver' in needs")));
}

TEST(ManifestSchema, UnknownKeysInsideAKernelRefuseTheKernelOnly) {
  const Result<Manifest> manifest =
      parse_manifest(with("    score: 80", "    x-note: free\n    max_context: 4096"), "m.yaml");
  ASSERT_TRUE(manifest.ok());
  EXPECT_THAT(manifest->kernels[0].unknown_keys, ElementsAre("max_context"));
  EXPECT_THAT(manifest->warnings, ElementsAre(HasSubstr("'max_context'")));
  // In a range or a limit as well: it may narrow it.
  EXPECT_THAT(parse_manifest(with("group: {max: 16}", "group: {max: 16, except: 3}"), "m")
                  ->kernels[0]
                  .unknown_keys,
              ElementsAre("group.except"));
  EXPECT_THAT(parse_manifest(with("{max: 16}\n    q", "{max: 16, min: 2}\n    q"), "m")
                  ->kernels[0]
                  .unknown_keys,
              ElementsAre("query_tokens.min"));
}

TEST(ManifestSchema, WhatAnOpHasNoUseForMayBeAbsent) {
  const std::string frame(kSample.substr(0, kSample.find("  - name")));
  const char* append =
      "  - {name: a, device: cpu, op: [append], q: [bf16], kv: [bf16], head_dim: [64], "
      "block_size: [16], layout: [nhd]}\n";
  const char* merge = "  - {name: m, device: cpu, op: [merge], q: [f32], head_dim: [64]}\n";
  const Result<Manifest> manifest = parse_manifest(frame + append + merge, "m");
  ASSERT_TRUE(manifest.ok()) << to_string(manifest.error());
  EXPECT_EQ(manifest->kernels.size(), 2u);
  const char* both =
      "  - {name: b, device: cpu, op: [append, decode], q: [bf16], kv: [bf16], head_dim: [64], "
      "block_size: [16], layout: [nhd]}\n";
  EXPECT_FALSE(parse_manifest(frame + both, "m").ok());
}

TEST(ManifestSchema, JsonIsAManifestToo) {
  const Result<Manifest> manifest = parse_manifest(
      R"({"attnrt_manifest": 1, "abi": 1,
          "plugin": {"name": "j", "version": "1", "vendor": "v", "license": "l", "description": "d"},
          "kernels": [{"name": "k", "device": "cpu", "op": ["merge"], "q": ["f32"],
                       "head_dim": [64]}]})",
      "m.json");
  ASSERT_TRUE(manifest.ok()) << to_string(manifest.error());
  EXPECT_EQ(manifest->name, "j");
  EXPECT_THAT(manifest->warnings, IsEmpty());
}

}  // namespace
}  // namespace attnrt
