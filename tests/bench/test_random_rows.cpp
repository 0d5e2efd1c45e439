// Seeded values: finite, of moderate size, the same for the same seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "bench/random_rows.hpp"

namespace attnrt::bench {
namespace {

float value_at(const std::vector<uint8_t>& bytes, size_t i, DType dtype) {
  if (dtype == DType::kF32) {
    float x = 0;
    std::memcpy(&x, &bytes[i * 4], 4);
    return x;
  }
  uint16_t bits = 0;
  std::memcpy(&bits, &bytes[i * 2], 2);
  if (dtype == DType::kBf16) return std::bit_cast<float>(uint32_t{bits} << 16);
  const int exponent = bits >> 10 & 31;
  const float sign = (bits & 0x8000) != 0 ? -1.0f : 1.0f;
  return sign * std::ldexp(static_cast<float>(bits & 1023) + 1024.0f, exponent - 25);
}

TEST(RandomValues, AreOfEitherSignAndModerateSize) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBf16}) {
    SplitMix random(1);
    const std::vector<uint8_t> bytes = random_values(4096, dtype, random);
    ASSERT_EQ(bytes.size(), 4096u * static_cast<size_t>(element_bytes(dtype)));
    int negative = 0;
    float least = 10, most = 0;
    for (size_t i = 0; i < 4096; ++i) {
      const float x = value_at(bytes, i, dtype);
      negative += x < 0;
      least = std::min(least, std::fabs(x));
      most = std::max(most, std::fabs(x));
    }
    EXPECT_NEAR(negative, 2048, 300) << name(dtype);
    EXPECT_GE(least, 0x1p-7f) << name(dtype);
    EXPECT_LT(most, 2.0f) << name(dtype);
    EXPECT_GT(most, 1.5f) << name(dtype);
  }
}

TEST(RandomValues, AreTheSameForTheSameSeedOnly) {
  SplitMix a(7), b(7), c(8);
  const auto first = random_values(64, DType::kBf16, a);
  EXPECT_EQ(first, random_values(64, DType::kBf16, b));
  EXPECT_NE(first, random_values(64, DType::kBf16, c));
}

TEST(Shuffle, KeepsEveryIdAndChangesTheOrder) {
  std::vector<int32_t> ids(100), sorted;
  for (int32_t i = 0; i < 100; ++i) ids[static_cast<size_t>(i)] = i;
  sorted = ids;
  SplitMix random(1);
  shuffle(ids, random);
  EXPECT_NE(ids, sorted);
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(ids, sorted);
}

// benchmarks/peers/gpu/problem.py gives the peers' pages the same order.
TEST(Shuffle, IsTheOrderThatPeersGet) {
  std::vector<int32_t> ids{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  SplitMix random(1);
  shuffle(ids, random);
  EXPECT_EQ(ids, (std::vector<int32_t>{4, 2, 8, 1, 9, 3, 0, 6, 7, 5}));
}

}  // namespace
}  // namespace attnrt::bench
