// What plugin.h demands, refused in words.
#include "attnrt/plugin/checks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace attnrt::plugin {
namespace {

using ::testing::HasSubstr;

// The text of what body throws; empty where it does not.
template <class Body>
std::string refusal(Body body) {
  try {
    body();
    return {};
  } catch (const PluginError& e) {
    return e.what();
  }
}

TEST(Checks, OneMaskAndCausalWhereNoneIsNamed) {
  EXPECT_EQ(mask_of(0), ATTNRT_FEATURE_CAUSAL);
  EXPECT_EQ(mask_of(ATTNRT_FEATURE_LSE | ATTNRT_FEATURE_TREE_MASK), ATTNRT_FEATURE_TREE_MASK);
  EXPECT_THAT(refusal([] { mask_of(ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_CROSS); }),
              HasSubstr("2 masks"));
}

TEST(Checks, WhatAManifestDoesNotListIsUnsupported) {
  try {
    require_listed(false, "block_size", 48);
    FAIL();
  } catch (const PluginError& e) {
    EXPECT_EQ(e.status(), ATTNRT_UNSUPPORTED);
    EXPECT_THAT(e.what(), HasSubstr("block_size is 48"));
  }
  require_listed(true, "block_size", 48);
}

struct Named {
  const char* name;
  int value;
};

TEST(Checks, KernelsAndFormatsAreFoundByTheirNames) {
  const std::vector<Named> table = {{"a", 1}, {"b", 2}};
  EXPECT_EQ(kernel_named(table, "b").value, 2);
  EXPECT_EQ(format_named(table, "a").value, 1);
  EXPECT_THAT(refusal([&] { kernel_named(table, "c"); }), HasSubstr("kernel 'c' is not"));
  EXPECT_THAT(refusal([&] { format_named(table, "c"); }), HasSubstr("cache_format is 'c'"));
}

TEST(Checks, FeaturesThatAreNotListedAreNamed) {
  EXPECT_EQ(refusal([] { check_features(5, 7); }), "");
  EXPECT_THAT(refusal([] { check_features(12, 7); }), HasSubstr("does not list: 8"));
}

TEST(Checks, QueryHeadsAreGroupsOfAListedSize) {
  attnrt_layer_class c{};
  c.q_heads = 32;
  c.kv_heads = 8;
  EXPECT_EQ(group_of(c, 4), 4);
  EXPECT_THAT(refusal([&] { group_of(c, 3); }), HasSubstr("q_heads / kv_heads is 4"));
  c.kv_heads = 5;
  EXPECT_THAT(refusal([&] { group_of(c, 128); }), HasSubstr("a multiple of kv_heads, 5"));
  c.kv_heads = 0;
  EXPECT_THAT(refusal([&] { group_of(c, 128); }), HasSubstr("kv_heads, 0"));
}

TEST(Checks, SoftmaxHasTheUsualScaleWhereNoneIsGiven) {
  attnrt_layer_class c{};
  c.head_dim_qk = 64;
  EXPECT_EQ(softmax_scale_of(c), 0.125F);
  c.softmax_scale = 0.5F;
  EXPECT_EQ(softmax_scale_of(c), 0.5F);
}

TEST(Checks, AreasHoldWhatIsNeeded) {
  int memory = 0;
  EXPECT_EQ(refusal([&] { check_area("state", &memory, 4, 4); }), "");
  EXPECT_EQ(refusal([] { check_area("state", nullptr, 0, 0); }), "");
  EXPECT_THAT(refusal([&] { check_area("state", &memory, 3, 4); }), HasSubstr("needs 4"));
  EXPECT_THAT(refusal([] { check_area("state", nullptr, 4, 4); }), HasSubstr("state has 4"));
}

TEST(Checks, ParametersComeWithTheirFeature) {
  attnrt_layer_class c{};
  EXPECT_EQ(refusal([&] { check_parameters(c); }), "");
  c.window = 4;
  EXPECT_THAT(refusal([&] { check_parameters(c); }), HasSubstr("without feature window"));
  c.features = ATTNRT_FEATURE_WINDOW | ATTNRT_FEATURE_SOFTCAP;
  EXPECT_THAT(refusal([&] { check_parameters(c); }), HasSubstr("softcap is"));
  c.softcap = 30.0F;
  EXPECT_EQ(refusal([&] { check_parameters(c); }), "");
  c.window = 0;
  EXPECT_THAT(refusal([&] { check_parameters(c); }), HasSubstr("expected at least 1"));
}

// Two sequences: 1 query over 5 keys, 2 over 3.
struct TestBatch {
  std::vector<int32_t> q_start{0, 1, 3};
  std::vector<int32_t> kv_len{5, 3};
  std::vector<int32_t> prefix_len{2, 0};
  std::vector<int32_t> table{0, 1, 2, 3};

  attnrt_batch view() const {
    attnrt_batch b{};
    b.sequences = 2;
    b.tokens = 3;
    b.q_start.host = q_start.data();
    b.kv_len.host = kv_len.data();
    b.prefix_len.host = prefix_len.data();
    b.block_table_stride = 2;
    return b;
  }
};

TEST(Checks, LengthsOfABatch) {
  const TestBatch data;
  const attnrt_batch b = data.view();
  check_batch(b, ATTNRT_FEATURE_PREFIX_LM);
  const auto with = lengths_of(b, ATTNRT_FEATURE_PREFIX_LM, 4, data.table.data());
  ASSERT_EQ(with.size(), 2U);
  EXPECT_EQ(with[0].q, 1);
  EXPECT_EQ(with[0].kv, 5);
  EXPECT_EQ(with[0].prefix, 2);
  EXPECT_EQ(with[1].q, 2);
  EXPECT_EQ(with[1].kv, 3);
  EXPECT_EQ(lengths_of(b, 0, 4, data.table.data())[0].prefix, 0);
}

TEST(Checks, BatchesThatBreakTheContract) {
  TestBatch data;
  const auto refused = [&](uint64_t features, auto change) {
    attnrt_batch b = data.view();
    change(b);
    return refusal([&] {
      check_batch(b, features);
      lengths_of(b, features, 4, data.table.data());
    });
  };
  EXPECT_EQ(refused(0, [](attnrt_batch&) {}), "");
  EXPECT_THAT(refused(0, [](attnrt_batch& b) { b.tokens = 4; }), HasSubstr("0 to tokens"));
  EXPECT_THAT(refused(0, [](attnrt_batch& b) { b.kv_len.host = nullptr; }),
              HasSubstr("device_lengths"));
  EXPECT_THAT(refused(0, [](attnrt_batch& b) { b.sequences = 0; }),
              HasSubstr("without a sequence"));
  EXPECT_THAT(
      refused(ATTNRT_FEATURE_PREFIX_LM, [](attnrt_batch& b) { b.prefix_len.host = nullptr; }),
      HasSubstr("prefix_lm"));
  EXPECT_THAT(refused(ATTNRT_FEATURE_TREE_MASK, [](attnrt_batch&) {}), HasSubstr("tree_mask"));
  EXPECT_THAT(refused(0, [](attnrt_batch& b) { b.block_table_stride = 1; }),
              HasSubstr("the block table holds 4"));
  data.q_start = {0, 4, 3};
  EXPECT_THAT(refused(0, [](attnrt_batch&) {}), HasSubstr("sequence 1 has -1 query tokens"));
}

TEST(Checks, CachesAsTheOpWasPreparedFor) {
  int data = 0;
  attnrt_cache_view view{};
  view.k.data = view.v.data = &data;
  view.blocks = 1;
  view.block_size = 16;
  view.heads = 2;
  EXPECT_EQ(refusal([&] { check_cache(view, 2, 16, false, false); }), "");
  EXPECT_THAT(refusal([&] { check_cache(view, 2, 32, false, false); }), HasSubstr("block_size"));
  EXPECT_THAT(refusal([&] { check_cache(view, 3, 16, false, false); }), HasSubstr("heads"));
  EXPECT_THAT(refusal([&] { check_cache(view, 2, 16, true, false); }), HasSubstr("latent"));
  EXPECT_THAT(refusal([&] { check_cache(view, 2, 16, false, true); }), HasSubstr("scales"));
  view.k.data = nullptr;
  EXPECT_THAT(refusal([&] { check_cache(view, 2, 16, false, false); }), HasSubstr("k.data"));
}

TEST(Checks, PackedRowsWhereAManifestListsNoOthers) {
  int data = 0;
  attnrt_tensor t{&data, ATTNRT_DTYPE_BF16, 3, {4, 8, 64, 0}, {8 * 64, 64, 1, 0}};
  const auto packed = [&] { return refusal([&] { check_packed(t, "q"); }); };
  EXPECT_EQ(packed(), "");
  t.stride[0] += 64;
  EXPECT_THAT(packed(), HasSubstr("q has strides of 576 and 64 elements"));
  t.shape[0] = 1;
  EXPECT_EQ(packed(), "") << "of one token any";
  t.stride[1] += 8;
  EXPECT_THAT(packed(), HasSubstr("512 and 64"));
  attnrt_tensor lse{&data, ATTNRT_DTYPE_F32, 2, {4, 8, 0, 0}, {8, 1, 0, 0}};
  EXPECT_EQ(refusal([&] { check_packed(lse, "lse"); }), "");
  lse.stride[0] = 16;
  EXPECT_THAT(refusal([&] { check_packed(lse, "lse"); }), HasSubstr("packed rows alone: 8 and 1"));
}

TEST(Checks, AlignmentsOfPointersAndStridesInBytes) {
  alignas(16) uint8_t data[32];
  attnrt_tensor t{data, ATTNRT_DTYPE_BF16, 3, {4, 8, 64, 0}, {8 * 64, 64, 1, 0}};
  const auto aligned = [&] { return refusal([&] { check_aligned(t, "q", 16); }); };
  EXPECT_EQ(aligned(), "");
  t.stride[1] += 4;  // 8 bytes
  EXPECT_THAT(aligned(), HasSubstr("multiples of 16 bytes"));
  t.stride[1] += 4;
  EXPECT_EQ(aligned(), "");
  t.data = data + 8;
  EXPECT_THAT(aligned(), HasSubstr("q begins"));
  attnrt_cache_side side{data, 4096, 256, 128, nullptr, 0, 0, 0};
  EXPECT_EQ(refusal([&] { check_aligned(side, "cache.k", 16); }), "");
  side.block_stride += 8;
  EXPECT_THAT(refusal([&] { check_aligned(side, "cache.k", 16); }), HasSubstr("cache.k"));
}

TEST(Checks, PackedPagesWhereAManifestListsNoOthers) {
  const PackedPage nhd{128, 2, 16, false};
  attnrt_cache_side side{nullptr, 3 * 4096, 256, 128, nullptr, 0, 0, 0};
  const auto packed = [&](const PackedPage& page, int64_t blocks) {
    return refusal([&] { check_packed(side, "cache.k", page, blocks); });
  };
  EXPECT_EQ(packed(nhd, 5), "");
  EXPECT_EQ(check_packed(side, "cache.k", nhd, 5), 3);
  EXPECT_EQ(check_packed(side, "cache.k", nhd, 1), 1);
  EXPECT_THAT(packed({128, 2, 16, true}, 5), HasSubstr("lists packed pages alone: 128 and 2048"));
  side.block_stride += 128;
  EXPECT_THAT(packed(nhd, 5), HasSubstr("a multiple of 4096"));
  EXPECT_EQ(packed(nhd, 1), "") << "of one block any";
  side.block_stride = 2048;
  EXPECT_THAT(packed(nhd, 5), HasSubstr("a multiple of 4096"));
  side.head_stride = 64;
  EXPECT_THAT(packed(nhd, 1), HasSubstr("strides of 256 and 64"));
  EXPECT_EQ(packed({256, 1, 16, false}, 1), "") << "of one head any";
}

TEST(Checks, EachAreaOfAWorkspace) {
  uint8_t memory[8];
  attnrt_workspace given{sizeof(attnrt_workspace), memory, memory, memory, 8, 8, 8};
  attnrt_workspace_sizes needed{};
  needed.state.bytes = needed.scratch.bytes = needed.staging.bytes = 8;
  const auto enough = [&] { return refusal([&] { check_workspace(given, needed); }); };
  EXPECT_EQ(enough(), "");
  needed.staging.bytes = 9;
  EXPECT_THAT(enough(), HasSubstr("staging has 8 bytes, this batch needs 9"));
  given.scratch_bytes = 7;
  EXPECT_THAT(enough(), HasSubstr("scratch has 7"));
  given.state = nullptr;
  EXPECT_THAT(enough(), HasSubstr("state has 8"));
}

}  // namespace
}  // namespace attnrt::plugin
