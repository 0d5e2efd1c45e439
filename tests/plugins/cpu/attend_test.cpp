// attend and append of the cpu plugin against the oracle, on every instruction set.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/plugins/cpu/cpu_fixture.hpp"
#include "tests/plugins/cpu/each_isa.hpp"

namespace attnrt::testing {
namespace {

constexpr uint64_t kCausalLse = ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_LSE;
const char* const kFormats[] = {"f32",
                                "f16",
                                "bf16",
                                "fp8_e4m3",
                                "fp8_e5m2",
                                "fp8_e4m3fnuz",
                                "int8_per_token_head",
                                "fp8_per_token_head"};
const char* const kBlockFormats[] = {"nvfp4_linear", "nvfp4_swizzled"};

TEST(Attend, EveryFormatAndQueryType) {
  for (const char* format : kFormats) {
    for (const int32_t q : {ATTNRT_DTYPE_F32, ATTNRT_DTYPE_F16, ATTNRT_DTYPE_BF16}) {
      CpuCase c;
      c.format = format;
      c.q_dtype = q;
      c.out_dtype = q;
      c.lengths = {{1, 70}, {40, 75}, {3, 3}};
      expect_all_close(c);
    }
  }
}

TEST(Attend, FewRowsOverBf16KeepSixteenBitsOfEachWeight) {
  for (const int32_t rows : {1, 3, 4, 7, 8}) {
    CpuCase c;
    c.q_heads = 2 * rows;
    c.lengths = {{1, 70}, {1, 1000}};
    c.weights_of_16_bits = true;
    expect_all_close(c);
  }
}

// On a matrix unit they do in all formats whose values are exact as bf16.
TEST(MatrixUnit, FewRowsKeepSixteenBitsOfEachWeight) {
  const std::vector<std::string> isas = cpu::available_isas();
  if (std::find(isas.begin(), isas.end(), "avx512_amx") == isas.end()) {
    GTEST_SKIP() << "no matrix unit";
  }
  for (const char* format : {"fp8_e4m3", "int8_per_token_head", "nvfp4_linear"}) {
    for (const int32_t rows : {1, 3, 4, 7, 8}) {
      CpuCase c;
      c.format = format;
      c.q_heads = 2 * rows;
      c.lengths = {{1, 70}, {1, 1000}};
      c.weights_of_16_bits = true;
      const CpuFixture fixture(c);
      fixture.expect_close(fixture.run("avx512_amx"));
    }
  }
}

TEST(Attend, HeadSizesWithAndWithoutTails) {
  for (const char* format : kFormats) {
    for (const int32_t dim : {32, 40, 56, 72, 80, 96, 120, 136, 200, 248, 256, 512}) {
      CpuCase c;
      c.format = format;
      c.qk = c.v = dim;
      c.lengths = {{1, 67}, {20, 30}};
      expect_all_close(c);
    }
  }
}

TEST(Attend, KeysAndValuesOfDifferentSizes) {
  for (const char* format : kFormats) {
    CpuCase c;
    c.format = format;
    c.qk = 192;
    c.v = 128;
    c.lengths = {{1, 67}, {40, 40}};
    expect_all_close(c);
  }
}

TEST(Attend, LatentRows) {
  for (const char* format : {"f32", "f16", "bf16", "fp8_e4m3", "fp8_e5m2", "fp8_e4m3fnuz"}) {
    CpuCase c;
    c.format = format;
    c.latent = true;
    c.q_heads = 16;
    c.kv_heads = 1;
    c.qk = 576;
    c.v = 512;
    c.lengths = {{1, 67}, {5, 40}};
    expect_all_close(c);
  }
}

TEST(Attend, DeepSeeksLatentRows) {
  for (const char* format : {"fp8_ds_mla_v32", "fp8_ds_mla_v4", "fp8_ds_mla_v41"}) {
    for (const int32_t q : {ATTNRT_DTYPE_F32, ATTNRT_DTYPE_BF16}) {
      for (const int32_t q_heads : {3, 128}) {
        CpuCase c;
        c.format = format;
        c.q_dtype = q;
        c.latent = true;
        c.q_heads = q_heads;
        c.kv_heads = 1;
        c.qk = c.format == "fp8_ds_mla_v32" ? 576 : 512;
        c.v = 512;
        c.lengths = {{1, 67}, {5, 40}, {1, 700}};
        expect_all_close(c);
      }
    }
  }
}

TEST(Attend, GroupsFrom1To128) {
  for (const int32_t group : {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 64, 127, 128}) {
    CpuCase c;
    c.kv_heads = 2;
    c.q_heads = 2 * group;
    c.lengths = {{1, 130}, {3, 67}};
    expect_all_close(c);
    c.layout = ATTNRT_LAYOUT_HND;
    expect_all_close(c);
  }
}

TEST(Attend, ScalesForEveryBlockOf16Values) {
  for (const char* format : kBlockFormats) {
    for (const int32_t q : {ATTNRT_DTYPE_F32, ATTNRT_DTYPE_BF16}) {
      for (const int32_t dim : {64, 128, 192, 256, 512}) {
        for (const int32_t layout : {ATTNRT_LAYOUT_NHD, ATTNRT_LAYOUT_HND}) {
          CpuCase c;
          c.format = format;
          c.q_dtype = q;
          c.qk = c.v = dim;
          c.layout = layout;
          c.block_size = dim == 64 ? 4 : 20;
          c.gap = dim == 128 ? 3 : 0;
          c.lengths = {{1, 200}, {40, 75}, {3, 3}, {1, 1300}};
          expect_all_close(c);
        }
      }
    }
  }
}

// Up to eight rows a KV head some instruction sets read them from the pages.
TEST(Attend, FewRowsOverBlocksOf16Values) {
  struct Sizes {
    const char* format;
    int32_t qk, v;
  };
  const Sizes sizes[] = {{"nvfp4_linear", 32, 32},   {"nvfp4_linear", 48, 48},
                         {"nvfp4_linear", 144, 144}, {"nvfp4_linear", 192, 128},
                         {"nvfp4_swizzled", 64, 64}, {"nvfp4_swizzled", 192, 128}};
  for (const Sizes& size : sizes) {
    for (const int32_t rows : {1, 3, 5, 7, 8, 9}) {
      for (const int32_t window : {0, 37}) {
        CpuCase c;
        c.format = size.format;
        c.q_dtype = rows % 2 == 0 ? ATTNRT_DTYPE_BF16 : ATTNRT_DTYPE_F16;
        c.q_heads = 2 * rows;
        c.qk = size.qk;
        c.v = size.v;
        c.window = window;
        if (window != 0) c.features |= ATTNRT_FEATURE_WINDOW;
        c.lengths = {{1, 70}, {1, 1000}, {1, 203}};
        expect_all_close(c);
      }
    }
  }
}

TEST(Attend, BlocksOfAnySize) {
  for (const int32_t block : {1, 2, 3, 8, 13, 24, 64, 100, 128, 255, 256}) {
    for (const int32_t layout : {ATTNRT_LAYOUT_NHD, ATTNRT_LAYOUT_HND}) {
      CpuCase c;
      c.format = "int8_per_token_head";
      c.block_size = block;
      c.layout = layout;
      c.lengths = {{1, 300}, {9, 129}, {2, 2}};
      expect_all_close(c);
    }
  }
}

TEST(Attend, PaddedPagesAndTensors) {
  for (const char* format : kFormats) {
    for (const int32_t gap : {1, 3, 16}) {
      CpuCase c;
      c.format = format;
      c.gap = gap;
      c.lengths = {{1, 70}, {20, 33}};
      expect_all_close(c);
    }
  }
}

TEST(Attend, ManyKvHeads) {
  for (const int32_t kv_heads : {8, 20, 40}) {
    CpuCase c;
    c.kv_heads = kv_heads;
    c.q_heads = kv_heads * 4;
    c.lengths = {{1, 200}, {2, 40}};
    expect_all_close(c);
  }
}

// One long context among many short ones of other lengths and queries: hundreds of items, and parts
// of one sequence that end in any order.
TEST(Attend, RaggedBatchesOfManyItems) {
  CpuCase c;
  c.q_heads = 4;
  c.kv_heads = 2;
  c.qk = c.v = 32;
  c.lengths = {{1, 9000}};
  for (int32_t n = 1; n <= 150; ++n)
    c.lengths.push_back({n % 5 == 0 ? n / 5 : 1, 31 * n % 211 + n / 5});
  for (const char* format : {"bf16", "fp8_e4m3", "int8_per_token_head"}) {
    c.format = format;
    const CpuFixture fixture(c);
    const Result one = fixture.run("", 1);
    fixture.expect_close(one);
    EXPECT_EQ(fixture.run("", 2).out, one.out) << format;
    EXPECT_EQ(fixture.run("", 0).out, one.out) << format << ", the plugin's own threads";
  }
}

TEST(Attend, SplitContexts) {
  for (const char* format : kFormats) {
    for (const uint64_t invariant : {uint64_t{0}, ATTNRT_FEATURE_BATCH_INVARIANT}) {
      CpuCase c;
      c.format = format;
      c.features = kCausalLse | ATTNRT_FEATURE_SINKS | invariant;
      c.lengths = {{1, 3001}, {4, 1300}};
      expect_all_close(c);
    }
  }
}

struct Masked {
  const char* name;
  uint64_t features;
  int32_t window;
  float softcap;
};

class Features : public ::testing::TestWithParam<Masked> {};

// The products of f32 and, where there is one, those of the matrix unit.
struct Arithmetic {
  const char* format;
  int32_t q_dtype;
};

TEST_P(Features, AreAsTheOracleComputesThem) {
  for (const Arithmetic a : {Arithmetic{"f16", ATTNRT_DTYPE_F32},
                             {"bf16", ATTNRT_DTYPE_BF16},
                             {"int8_per_token_head", ATTNRT_DTYPE_BF16},
                             {"int4_per_token_head", ATTNRT_DTYPE_BF16}})
    for (const int32_t group : {1, 12}) {
      CpuCase c;
      c.format = a.format;
      c.q_dtype = a.q_dtype;
      c.q_heads = 2 * group;
      c.features = GetParam().features | ATTNRT_FEATURE_LSE;
      c.window = GetParam().window;
      c.softcap = GetParam().softcap;
      // Lengths 0, more queries than keys, tile edges, split contexts.
      c.lengths = {{1, 64}, {5, 3}, {0, 10}, {3, 0}, {64, 64}, {65, 129}, {7, 1200}, {17, 200}};
      expect_all_close(c);
    }
}

INSTANTIATE_TEST_SUITE_P(
    All, Features,
    ::testing::Values(
        Masked{"causal", ATTNRT_FEATURE_CAUSAL, 0, 0},
        Masked{"non_causal", ATTNRT_FEATURE_NON_CAUSAL, 0, 0},
        Masked{"cross", ATTNRT_FEATURE_CROSS, 0, 0},
        Masked{"tree_mask", ATTNRT_FEATURE_TREE_MASK, 0, 0},
        Masked{"prefix_lm", ATTNRT_FEATURE_PREFIX_LM, 0, 0},
        Masked{"window", ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_WINDOW, 50, 0},
        Masked{"window_of_one", ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_WINDOW, 1, 0},
        Masked{"window_prefix", ATTNRT_FEATURE_PREFIX_LM | ATTNRT_FEATURE_WINDOW, 33, 0},
        Masked{"window_tree", ATTNRT_FEATURE_TREE_MASK | ATTNRT_FEATURE_WINDOW, 33, 0},
        Masked{"window_non_causal", ATTNRT_FEATURE_NON_CAUSAL | ATTNRT_FEATURE_WINDOW, 33, 0},
        Masked{"sinks", ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_SINKS, 0, 0},
        Masked{"softcap", ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_SOFTCAP, 0, 2.5F},
        Masked{"alibi", ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_ALIBI, 0, 0},
        Masked{"per_head_scales", ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_PER_HEAD_SCALES, 0, 0},
        Masked{"everything",
               ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_WINDOW | ATTNRT_FEATURE_SINKS |
                   ATTNRT_FEATURE_SOFTCAP | ATTNRT_FEATURE_ALIBI | ATTNRT_FEATURE_PER_HEAD_SCALES |
                   ATTNRT_FEATURE_BATCH_INVARIANT,
               100, 5.0F}),
    [](const auto& chosen) { return std::string(chosen.param.name); });

TEST(Attend, NothingAtAll) {
  CpuCase c;
  c.lengths = {};
  expect_all_close(c);
  c.lengths = {{0, 0}, {0, 5}};
  expect_all_close(c);
}

}  // namespace
}  // namespace attnrt::testing
