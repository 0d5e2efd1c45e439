// The pieces that codecs are made of: rounding, powers of two, the rotation, the swizzle.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <vector>

#include "kernels/codec/hadamard.h"
#include "kernels/codec/nvfp4_swizzled.h"
#include "kernels/codec/ue8m0.h"
#include "tests/support/tensor_file.hpp"

namespace attnrt::codec {
namespace {

using testing::TensorFile;

const std::string kRows = ATTNRT_SOURCE_DIR "/tests/data/codec/rows.safetensors";
const std::string kElements = ATTNRT_SOURCE_DIR "/tests/data/codec/elements.safetensors";

TEST(Rounding, GoesAwayFromZeroAtHalvesAsRoundDoes) {
  std::vector<float> all = {0.49999997F, 0.5F, 0.50000006F, 8388607.5F, 8388607.0F, 0.0F};
  for (int i = 0; i < 2000; ++i) all.push_back(static_cast<float>(i) * 0.25F);
  for (int i = 0; i < 300; ++i) {
    const auto half = static_cast<float>(i) + 0.5F;
    all.push_back(std::nextafter(half, 0.0F));
    all.push_back(std::nextafter(half, 1e9F));
  }
  for (const float x : all) {
    EXPECT_EQ(round_half_away(x), std::round(x)) << x;
    EXPECT_EQ(round_half_away(-x), std::round(-x)) << -x;
  }
}

TEST(PowersOfTwo, AreExactDownToTheSmallestSubnormal) {
  for (int e = -149; e <= 127; ++e) EXPECT_EQ(power_of_two(e), std::ldexp(1.0F, e)) << e;
}

TEST(Absmax, LeavesNaNOutAndLimitsInfinity) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float x[] = {1.0F, -3.0F, nan, 2.0F};
  EXPECT_EQ(absmax(x, 4), 3.0F);
  const float y[] = {1.0F, -std::numeric_limits<float>::infinity()};
  EXPECT_EQ(absmax(y, 2), std::numeric_limits<float>::max());
  const float only_nan[] = {nan};
  EXPECT_EQ(absmax(only_nan, 1), 0.0F);
}

TEST(Ue8m0, ReadsAllCodesAsRecorded) {
  const auto values = TensorFile(kElements).get<double>("ue8m0.values");
  ASSERT_EQ(values.size(), 256U);
  for (size_t code = 0; code < 255; ++code) {
    EXPECT_EQ(Ue8m0::decode(static_cast<uint8_t>(code)), values[code]) << code;
  }
  EXPECT_TRUE(std::isnan(Ue8m0::decode(255)) && std::isnan(values[255]));
}

TEST(Ue8m0, RoundsUpToTheNextPowerOfTwo) {
  const TensorFile file(kElements);
  const auto inputs = file.get<float>("ue8m0.inputs");
  const auto stored = file.get<uint32_t>("ue8m0.stored");
  for (size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(Ue8m0::encode_up(inputs[i]), stored[i]) << inputs[i];
  }
  EXPECT_EQ(Ue8m0::encode_up(power_of_two(-127)), 0);  // subnormal
  EXPECT_EQ(Ue8m0::encode_up(std::nextafter(power_of_two(-127), 1.0F)), 1);
}

TEST(Rotation, HasTheSignsOfTheGeneratorThatEnginesUse) {
  const auto recorded = TensorFile(kRows).get<float>("rotation.signs");
  std::mt19937 generator(0x9E3779B9U);
  ASSERT_EQ(recorded.size(), static_cast<size_t>(kMaxRotation));
  for (int32_t i = 0; i < kMaxRotation; ++i) {
    const bool negative = (generator() & 0x800000U) != 0;
    EXPECT_EQ(rotation_is_negative(i), negative) << i;
    EXPECT_EQ(recorded[static_cast<size_t>(i)], negative ? -1.0F : 1.0F) << i;
  }
}

TEST(Rotation, IsUndoneAndKeepsDotProducts) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (const int32_t n : {2, 16, 256, 1024}) {
    std::vector<double> a(static_cast<size_t>(n));
    std::vector<double> b(a.size());
    for (double& x : a) x = uniform(random);
    for (double& x : b) x = uniform(random);
    std::vector<double> ra = a;
    std::vector<double> rb = b;
    rotate(ra.data(), n);
    rotate(rb.data(), n);
    double dot = 0;
    double rotated_dot = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      dot += a[i] * b[i];
      rotated_dot += ra[i] * rb[i];
    }
    EXPECT_NEAR(rotated_dot / n, dot, 1e-12 * n);
    unrotate(ra.data(), n);
    for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(ra[i], a[i], 1e-14 * n);
  }
}

TEST(Rotation, ExistsForPowersOfTwoOnly) {
  for (const int32_t n : {2, 64, 1024}) EXPECT_TRUE(rotation_accepts(n));
  for (const int32_t n : {0, 1, 48, 96, 2048}) EXPECT_FALSE(rotation_accepts(n));
}

TEST(Swizzle, MovesScalesAsRecordedAndBack) {
  const TensorFile file(kRows);
  const auto linear = file.get<uint8_t>("swizzle.linear");
  const auto moved = file.get<uint8_t>("swizzle.moved");
  const auto tokens = static_cast<int32_t>(file.shape("swizzle.linear")[0]);
  const auto scales = static_cast<int32_t>(file.shape("swizzle.linear")[1]);
  const int32_t n = scales * kNvfp4Block;
  const int64_t stride = scales + 5;  // rows of scales may stand apart
  std::vector<uint8_t> page(static_cast<size_t>(tokens * stride), 0xEE);
  for (int32_t t = 0; t < tokens; ++t) {
    Nvfp4Swizzled::scatter_scales(linear.data() + t * scales, n, t, page.data(), stride);
  }
  for (int32_t t = 0; t < tokens; ++t) {
    std::vector<uint8_t> back(static_cast<size_t>(scales));
    Nvfp4Swizzled::gather_scales(page.data(), stride, n, t, back.data());
    for (int32_t s = 0; s < scales; ++s) {
      const auto i = static_cast<size_t>(t * scales + s);
      EXPECT_EQ(page[static_cast<size_t>(t * stride + s)], moved[i]);
      EXPECT_EQ(back[static_cast<size_t>(s)], linear[i]);
    }
    for (int64_t gap = scales; gap < stride; ++gap) {
      EXPECT_EQ(page[static_cast<size_t>(t * stride + gap)], 0xEE);
    }
  }
}

}  // namespace
}  // namespace attnrt::codec
