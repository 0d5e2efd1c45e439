// The pure parts of a run: dtypes, steps, samples, sums, seeded values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "run/convert.hpp"
#include "run/layer_inputs.hpp"
#include "run/measure.hpp"
#include "run/report.hpp"
#include "run/row_sample.hpp"
#include "run/timeline.hpp"

namespace attnrt::runtime {
namespace {

using testing::ElementsAre;

uint16_t bits(float x, DType dtype) {
  uint16_t out = 0;
  from_f32(&x, 1, dtype, &out);
  return out;
}

TEST(Convert, RoundsToNearestEven) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const struct {
    float value;
    uint16_t f16, bf16;
  } cases[] = {
      {0.0f, 0x0000, 0x0000},
      {-0.0f, 0x8000, 0x8000},
      {1.0f, 0x3c00, 0x3f80},
      {-2.5f, 0xc100, 0xc020},
      {65504.0f, 0x7bff, 0x4780},
      {65519.9f, 0x7bff, 0x4780},
      {65520.0f, 0x7c00, 0x4780},
      {kInf, 0x7c00, 0x7f80},
      {0x1p-24f, 0x0001, 0x3380},
      {0x1p-25f, 0x0000, 0x3300},  // a tie goes to even
      {0x1.8p-24f, 0x0002, 0x33c0},
      {0x1.ffcp-15f, 0x0400, 0x3880},
      {1.0f + 0x1p-11f, 0x3c00, 0x3f80},
      {1.0f + 0x3p-11f, 0x3c02, 0x3f80},
      {1.0f + 0x1p-8f, 0x3c04, 0x3f80},
      {1.0f + 0x3p-8f, 0x3c0c, 0x3f82},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(bits(c.value, DType::kF16), c.f16) << c.value;
    EXPECT_EQ(bits(c.value, DType::kBf16), c.bf16) << c.value;
  }
  EXPECT_EQ(bits(std::nanf(""), DType::kF16) & 0x7c00, 0x7c00);
  EXPECT_NE(bits(std::nanf(""), DType::kF16) & 0x03ff, 0);
  EXPECT_NE(bits(std::bit_cast<float>(0x7f800001u), DType::kBf16) & 0x7f, 0);
}

TEST(Convert, BringsEvery16BitValueBackAsItWas) {
  for (const DType dtype : {DType::kF16, DType::kBf16}) {
    for (uint32_t i = 0; i < 0x10000; ++i) {
      const auto pattern = static_cast<uint16_t>(i);
      float value = 0;
      to_f32(&pattern, 1, dtype, &value);
      if (std::isnan(value)) continue;
      ASSERT_EQ(bits(value, dtype), pattern) << name(dtype);
    }
  }
}

std::vector<std::vector<int32_t>> tokens_of(const std::vector<TimelineStep>& timeline) {
  std::vector<std::vector<int32_t>> tokens;
  for (const TimelineStep& step : timeline) {
    tokens.emplace_back();
    for (const Slice& s : step.slices) {
      tokens.back().push_back(s.sequence * 1000 + s.past * 10 + s.tokens);
    }
  }
  return tokens;
}

TEST(Timeline, PrefillsAndThenDecodesOneTokenAStep) {
  const SequenceSpec sequences[] = {{5, 2, 0}};
  const auto timeline = make_timeline(sequences, 0);
  EXPECT_THAT(tokens_of(timeline), ElementsAre(ElementsAre(5), ElementsAre(51), ElementsAre(61)));
  EXPECT_FALSE(timeline[0].decode_only);
  EXPECT_TRUE(timeline[1].decode_only);
}

TEST(Timeline, CutsPromptsIntoChunks) {
  const SequenceSpec sequences[] = {{5, 1, 0}};
  EXPECT_THAT(tokens_of(make_timeline(sequences, 2)),
              ElementsAre(ElementsAre(2), ElementsAre(22), ElementsAre(41), ElementsAre(51)));
}

TEST(Timeline, MixesLaterArrivalsWithDecodesAndPutsDecodesFirst) {
  const SequenceSpec sequences[] = {{3, 2, 1}, {4, 3, 0}};
  const auto timeline = make_timeline(sequences, 0);
  EXPECT_THAT(tokens_of(timeline), ElementsAre(ElementsAre(1004), ElementsAre(1041, 3),
                                               ElementsAre(31, 1051), ElementsAre(41, 1061)));
  EXPECT_FALSE(timeline[1].decode_only);
  EXPECT_TRUE(timeline[2].decode_only);
}

TEST(Timeline, SkipsIdleStepsAndEndsWithEmptySequences) {
  const SequenceSpec late[] = {{2, 0, 1000000000}, {0, 0, 3}};
  EXPECT_THAT(tokens_of(make_timeline(late, 0)), ElementsAre(ElementsAre(2)));
  const SequenceSpec empty[] = {{0, 0, 0}, {2, 0, 0}};
  EXPECT_THAT(tokens_of(make_timeline(empty, 0)), ElementsAre(ElementsAre(0, 1002)));
  EXPECT_TRUE(make_timeline({}, 0).empty());
}

TEST(RowSample, HoldsTheEndsAndAboutTheFraction) {
  const SequenceSpec sequences[] = {{1000, 0, 0}, {0, 0, 0}, {1, 0, 0}};
  const RowSample sample(sequences, 0.1, 1);
  EXPECT_GT(sample.rows().size(), 60u);
  EXPECT_LT(sample.rows().size(), 150u);
  EXPECT_EQ(sample.rows().front().position, 0);
  EXPECT_EQ(sample.rows().back().sequence, 2);
  const auto [first, end] = sample.range(0, 0, 1000);
  EXPECT_EQ(end - first, sample.rows().size() - 1);
  const auto [a, b] = sample.range(0, 999, 1000);
  EXPECT_EQ(b - a, 1u);
  EXPECT_EQ(RowSample(sequences, 1.0, 1).rows().size(), 1001u);
  EXPECT_TRUE(RowSample(sequences, 0, 1).rows().empty());
}

TEST(ErrorSum, MeasuresRelativeToTheWantedValues) {
  ErrorSum sum;
  EXPECT_TRUE(sum.empty());
  const float ours[] = {3, 4.5f}, wanted[] = {3, 4};
  sum.add(ours, wanted, 2);
  EXPECT_DOUBLE_EQ(sum.measure().relative_rms, 0.1);
  EXPECT_DOUBLE_EQ(sum.measure().max_abs, 0.5);
  EXPECT_EQ(sum.measure().values, 2);
}

TEST(ErrorSum, NeverTakesANanForASmallError) {
  const float nan[] = {std::nanf(""), 0}, zero[] = {0, 0};
  ErrorSum sum;
  sum.add(nan, zero, 2);
  ErrorSum total;
  total.add(zero, zero, 2);
  total.add(sum);
  total.add(zero, zero, 2);
  EXPECT_TRUE(std::isnan(total.measure().relative_rms));
  EXPECT_TRUE(std::isnan(total.measure().max_abs));
}

TEST(LatencyOf, TakesTheSmallestTimeThatSoManyDoNotExceed) {
  std::vector<double> times;
  for (int i = 100; i > 0; --i) times.push_back(i);
  const Latency latency = latency_of(times);
  EXPECT_EQ(latency.p50_us, 50);
  EXPECT_EQ(latency.p90_us, 90);
  EXPECT_EQ(latency.p99_us, 99);
  EXPECT_EQ(latency_of({7}).p99_us, 7);
  EXPECT_EQ(latency_of({}).steps, 0);
}

TEST(Synthetic, GivesTheSameValuesForTheSameSeedAndOthersForOthers) {
  ModelGeometry model;
  model.layers.assign(2, LayerGeometry{4, 2, {8, 8}});
  SyntheticWorkload workload;
  workload.prompt_tokens = {10, 0};
  workload.arrival_step = {0, 2};
  const auto a = make_synthetic(workload, model);
  const auto b = make_synthetic(workload, model);
  workload.seed = 2;
  const auto c = make_synthetic(workload, model);
  ASSERT_EQ(a->sequences().size(), 2u);
  EXPECT_EQ(a->sequences()[1].arrival, 2);
  EXPECT_TRUE(a->synthetic());
  EXPECT_EQ(a->wanted(0, 0, 0), nullptr);
  double sum = 0, squares = 0;
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(a->k(1, 0, 3)[i], b->k(1, 0, 3)[i]);
    sum += double{a->q(0, 0, 0)[i]};
    squares += double{a->q(0, 0, 0)[i]} * double{a->q(0, 0, 0)[i]};
  }
  EXPECT_NE(a->k(1, 0, 3)[0], c->k(1, 0, 3)[0]);
  EXPECT_NE(a->k(1, 0, 3)[0], a->k(0, 0, 3)[0]);
  EXPECT_LT(std::fabs(sum / 64), 0.6);
  EXPECT_NEAR(squares / 64, 1, 0.7);
}

TEST(LargestStored, IsThatOfFormatsWithAFactorPerTensor) {
  EXPECT_EQ(largest_stored(Format::kFp8E4m3), 448.0f);
  EXPECT_EQ(largest_stored(Format::kFp8E5m2), 57344.0f);
  EXPECT_EQ(largest_stored(Format::kNvfp4Linear), 2688.0f);
  EXPECT_EQ(largest_stored(Format::kInt8PerTokenHead), 0.0f);
  EXPECT_EQ(largest_stored(Format::kBf16), 0.0f);
}

TEST(RoundingLimit, GrowsWithTheUnitsOfQueryAndOutput) {
  EXPECT_LT(rounding_limit(DType::kF32, DType::kF32), 1.01e-4);
  EXPECT_LT(rounding_limit(DType::kF32, DType::kF32), rounding_limit(DType::kF32, DType::kF16));
  EXPECT_LT(rounding_limit(DType::kF16, DType::kF16), rounding_limit(DType::kBf16, DType::kBf16));
  EXPECT_LT(rounding_limit(DType::kBf16, DType::kBf16), 0x1p-7);
}

}  // namespace
}  // namespace attnrt::runtime
