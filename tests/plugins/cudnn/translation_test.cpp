// A batch in cuDNN's terms.
#include "plugins/cudnn/translation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace attnrt::cudnn {
namespace {

using plugin::Lengths;
using testing::ElementsAre;
using testing::ElementsAreArray;

Layer make_layer(bool causal = true, int32_t window = 0, int32_t op = ATTNRT_OP_PREFILL) {
  Layer layer{};
  layer.op = op;
  layer.shape.causal = causal;
  layer.shape.window = window;
  layer.shape.q_heads = 4;
  layer.shape.kv_heads = 2;
  layer.shape.dim_qk = 64;
  layer.shape.dim_v = 128;
  layer.shape.block_size = 16;
  return layer;
}

class Translation : public ::testing::Test {
 protected:
  void translate_batch(const Layer& layer, const std::vector<Lengths>& batch, int32_t sequences) {
    at_ = Arrays(sequences);
    sequences_ = static_cast<size_t>(sequences);
    memory_.assign(at_.bytes / sizeof(int32_t), -7);
    translate(layer, batch, {sequences, 64, 8}, memory_.data());
  }
  std::vector<int32_t> array(uint64_t Arrays::*which, size_t more = 0) const {
    const auto from = memory_.begin() + static_cast<std::ptrdiff_t>(at_.*which / sizeof(int32_t));
    return {from, from + static_cast<std::ptrdiff_t>(sequences_ + more)};
  }

  Arrays at_{0};
  size_t sequences_ = 0;
  std::vector<int32_t> memory_;
};

TEST_F(Translation, KeepsPackedRowsWhereTheyAre) {
  translate_batch(make_layer(), {{3, 20, 0}, {1, 7, 0}}, 2);
  EXPECT_THAT(array(&Arrays::q_lengths), ElementsAre(3, 1));
  EXPECT_THAT(array(&Arrays::kv_lengths), ElementsAre(20, 7));
  EXPECT_THAT(array(&Arrays::q_offsets, 1), ElementsAre(0, 3 * 4 * 64, 4 * 4 * 64));
  EXPECT_THAT(array(&Arrays::out_offsets, 1), ElementsAre(0, 3 * 4 * 128, 4 * 4 * 128));
  EXPECT_THAT(array(&Arrays::stats_offsets, 1), ElementsAre(0, 12, 16));
  EXPECT_THAT(array(&Arrays::empty_rows), ElementsAre(0, 0));
}

TEST_F(Translation, GivesSequencesBeyondTheBatchNothing) {
  translate_batch(make_layer(), {{2, 2, 0}}, 4);
  EXPECT_THAT(array(&Arrays::q_lengths), ElementsAre(2, 0, 0, 0));
  EXPECT_THAT(array(&Arrays::kv_lengths), ElementsAre(2, 0, 0, 0));
  EXPECT_THAT(array(&Arrays::stats_offsets, 1), ElementsAre(0, 8, 8, 8, 8));
  EXPECT_THAT(array(&Arrays::empty_rows), ElementsAre(0, 0, 0, 0));
}

TEST_F(Translation, KeepsQueriesWithoutKeysFromCudnn) {
  translate_batch(make_layer(), {{5, 3, 0}, {2, 0, 0}, {0, 9, 0}}, 4);
  EXPECT_THAT(array(&Arrays::q_lengths), ElementsAre(3, 0, 0, 0));
  EXPECT_THAT(array(&Arrays::kv_lengths), ElementsAre(3, 0, 0, 0));
  EXPECT_THAT(array(&Arrays::first_rows), ElementsAre(0, 5, 7, 7));
  EXPECT_THAT(array(&Arrays::empty_rows), ElementsAre(2, 2, 0, 0));
  EXPECT_THAT(array(&Arrays::stats_offsets, 1), ElementsAre(8, 28, 28, 28, 28));
}

TEST_F(Translation, SeesAllKeysWithoutACausalMask) {
  translate_batch(make_layer(false), {{5, 3, 0}, {2, 0, 0}}, 2);
  EXPECT_THAT(array(&Arrays::q_lengths), ElementsAre(5, 0));
  EXPECT_THAT(array(&Arrays::empty_rows), ElementsAre(0, 2));
}

TEST_F(Translation, ReadsNoPageThatIsWhollyOutsideTheWindow) {
  // Oldest key of the first query: kv - q - window + 1.
  translate_batch(make_layer(true, 10),
                  {{1, 100, 0}, {4, 100, 0}, {1, 41, 0}, {1, 42, 0}, {1, 5, 0}}, 5);
  EXPECT_THAT(array(&Arrays::first_pages),
              ElementsAre((100 - 1 - 10 + 1) / 16, (100 - 4 - 10 + 1) / 16, 1, 2, 0));
}

TEST_F(Translation, FillsItsMemoryAndNoMore) {
  const Arrays at(3);
  std::vector<int32_t> memory(at.bytes / sizeof(int32_t) + 1, -7);
  translate(make_layer(), {{1, 1, 0}}, {3, 1, 1}, memory.data());
  EXPECT_EQ(memory.back(), -7);
  for (const uint64_t offset : {at.q_lengths, at.kv_lengths, at.q_offsets, at.out_offsets,
                                at.stats_offsets, at.first_rows, at.empty_rows, at.first_pages}) {
    EXPECT_EQ(offset % kArrayAlignment, 0U);
    EXPECT_NE(memory[offset / sizeof(int32_t) + 2], -7) << offset;
  }
}

TEST(TranslationShape, IsInPowersOf2AndHoldsWhatItIsMadeFor) {
  const BatchShape shape = shape_for(make_layer(), 5, 33, 257);
  EXPECT_EQ(shape, (BatchShape{8, 64, 32}));
  EXPECT_TRUE(holds(shape, {5, 33, 17}));
  EXPECT_FALSE(holds(shape, {9, 33, 17}));
  EXPECT_FALSE(holds(shape, {5, 65, 17}));
  EXPECT_FALSE(holds(shape, {5, 33, 33}));
  EXPECT_EQ(shape_for(make_layer(), 0, 0, 0), (BatchShape{1, 1, 1}));
}

TEST(TranslationShape, RefusesWhatNoPlanHolds) {
  EXPECT_THROW(shape_for(make_layer(true, 0, ATTNRT_OP_DECODE), 1, 2, 16), PluginError);
  EXPECT_THROW(shape_for(make_layer(), 1, 1, int64_t{1} << 40), PluginError);
  std::vector<int32_t> memory(Arrays(1).bytes / sizeof(int32_t));
  EXPECT_THROW(translate(make_layer(), {{1 << 23, 1 << 23, 0}}, {1, 1, 1}, memory.data()),
               PluginError);
}

}  // namespace
}  // namespace attnrt::cudnn
