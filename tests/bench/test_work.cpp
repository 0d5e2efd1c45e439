// Bytes and operations of a call, counted by hand.
#include <gtest/gtest.h>

#include "bench/work.hpp"

namespace attnrt::bench {
namespace {

BenchShape shape(int32_t batch, int32_t q_len, int32_t kv_len) {
  BenchShape s;
  s.batch = batch;
  s.q_len = q_len;
  s.kv_len = kv_len;
  s.q_heads = 32;
  s.kv_heads = 8;
  s.head_dim = {128, 128};
  return s;
}

Spelling spelling(const char* text) {
  return *parse_spelling(text);
}

TEST(Work, DecodeReadsEveryKeyAndValueOnce) {
  const Work work = work_of(shape(1, 1, 512), Format::kBf16, CacheKind::kSeparate);
  EXPECT_EQ(work.kv_bytes, 512.0 * 8 * 2 * 128 * 2);
  EXPECT_EQ(work.flop, 512.0 * 32 * 4 * 128);
}

TEST(Work, PrefillCountsWhatTheCausalMaskLetsThrough) {
  EXPECT_EQ(visible_pairs(shape(1, 4, 4)), 1 + 2 + 3 + 4);
  EXPECT_EQ(visible_pairs(shape(1, 2, 5)), 4 + 5);
  EXPECT_EQ(visible_pairs(shape(3, 2, 5)), 3 * 9);
}

TEST(Work, OneLongSequenceAmongShorterOnesCountsItsOwnKeys) {
  BenchShape s = shape(4, 2, 100);
  s.rest_kv_len = 10;
  EXPECT_EQ(s.kv_len_of(0), 100);
  EXPECT_EQ(s.kv_len_of(3), 10);
  EXPECT_EQ(s.kv_tokens(), 100 + 3 * 10);
  EXPECT_EQ(visible_pairs(s), (99 + 100) + 3 * (9 + 10));
  EXPECT_EQ(work_of(s, Format::kBf16, CacheKind::kSeparate).kv_bytes, 130.0 * 8 * 2 * 128 * 2);
}

TEST(Work, ScalesAreBytesToo) {
  const Work work = work_of(shape(1, 1, 1), Format::kInt8PerTokenHead, CacheKind::kSeparate);
  EXPECT_EQ(work.kv_bytes, 8.0 * 2 * (128 + 4));
}

TEST(Work, LatentRowsServeForKeysAndValues) {
  BenchShape s = shape(1, 1, 10);
  s.kv_heads = 1;
  s.head_dim = {576, 512};
  EXPECT_EQ(work_of(s, Format::kBf16, CacheKind::kLatent).kv_bytes, 10.0 * 576 * 2);
  EXPECT_EQ(work_of(s, Format::kBf16, CacheKind::kLatent).flop, 10.0 * 32 * 2 * (576 + 512));
  EXPECT_EQ(cache_kind(s, spelling("bf16")), CacheKind::kLatent);
  EXPECT_EQ(cache_kind(s, spelling("fp8_ds_mla_v32")), CacheKind::kLatent);
  EXPECT_EQ(cache_kind(shape(1, 1, 1), spelling("bf16")), CacheKind::kSeparate);
}

TEST(Work, QueriesAreTheFormatsOwnOrBf16) {
  EXPECT_EQ(query_dtype(spelling("f32")), DType::kF32);
  EXPECT_EQ(query_dtype(spelling("half")), DType::kF16);
  EXPECT_EQ(query_dtype(spelling("bf16")), DType::kBf16);
  EXPECT_EQ(query_dtype(spelling("auto")), DType::kBf16);
  for (const char* text : {"fp8", "fp8_e5m2", "int8_per_token_head", "nvfp4"}) {
    EXPECT_EQ(query_dtype(spelling(text)), DType::kBf16) << text;
  }
}

}  // namespace
}  // namespace attnrt::bench
