// Instructions on numbers against exact arithmetic: halves are enumerated, and the nearest is
// looked up.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/codec/bf16.h"
#include "kernels/codec/f16.h"
#include "kernels/cuda/device.cuh"

namespace attnrt::cuda {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct OfF16 {
  using Half = F16;
  using Codec = codec::F16;
  static constexpr double kBehindLargest = 65536.0;
};
struct OfBf16 {
  using Half = Bf16;
  using Codec = codec::Bf16;
  static constexpr double kBehindLargest = 0x1p128;
};

template <class Of>
class HalfOf : public testing::Test {
 protected:
  using Codec = typename Of::Codec;

  HalfOf() {
    for (uint32_t code = 0; code < Codec::kInfinity; ++code) {
      values_.push_back(double{Codec::decode(static_cast<uint16_t>(code))});
    }
    values_.push_back(Of::kBehindLargest);  // what rounds to it is infinite
  }

  // The code nearest to x, of two the even one.
  uint16_t nearest(double x) const {
    const auto sign = static_cast<uint16_t>(std::signbit(x) ? 0x8000 : 0);
    if (std::isnan(x)) return 0x7FFF;
    const double magnitude = std::abs(x);
    if (magnitude >= Of::kBehindLargest) return static_cast<uint16_t>(sign | Codec::kInfinity);
    auto above = static_cast<size_t>(std::upper_bound(values_.begin(), values_.end(), magnitude) -
                                     values_.begin());
    const double up = values_[above] - magnitude;
    const double down = magnitude - values_[above - 1];
    if (down < up || (down == up && above % 2 == 1)) --above;
    return static_cast<uint16_t>(sign | above);
  }
  double value(uint16_t code) const { return double{Codec::decode(code)}; }

  // Pairs of codes; the special ones among each other and with all.
  template <class Check>
  void for_pairs(Check check) const {
    const uint16_t special[] = {0x0000, 0x8000, 0x0001, 0x8001, 0x0003, 0x007F, 0x0080, 0x03FF,
                                0x0400, 0x3C00, 0x3F80, 0x7BFF, 0x7C00, 0x7F7F, 0x7F80, 0xFF80,
                                0x7E00, 0x7FC0, 0xFC00, 0x3F00, 0x3800, 0x1F80, 0x0480};
    for (const uint16_t a : special) {
      for (uint32_t b = 0; b < 0x10000; ++b) check(a, static_cast<uint16_t>(b));
    }
    std::minstd_rand random(11);
    for (int i = 0; i < 300000; ++i) {
      check(static_cast<uint16_t>(random() >> 8), static_cast<uint16_t>(random() >> 8));
    }
  }

  std::vector<double> values_;
};

using Formats = testing::Types<OfF16, OfBf16>;
TYPED_TEST_SUITE(HalfOf, Formats);

constexpr uint32_t twice(uint16_t x) {
  return uint32_t{x} << 16 | x;
}

TYPED_TEST(HalfOf, IsWidenedExactly) {
  for (uint32_t code = 0; code < 0x10000; ++code) {
    const auto bits = static_cast<uint16_t>(code);
    const float got = half_to_float<typename TypeParam::Half>(bits);
    const float expected = TypeParam::Codec::decode(bits);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(got));
    } else {
      EXPECT_EQ(std::bit_cast<uint32_t>(got), std::bit_cast<uint32_t>(expected)) << code;
    }
  }
}

TYPED_TEST(HalfOf, IsPackedToTheNearestEven) {
  const auto check = [&](float x) {
    EXPECT_EQ(pack_halves<typename TypeParam::Half>(x, -x),
              uint32_t{this->nearest(-double{x})} << 16 | this->nearest(double{x}))
        << x;
  };
  // Each value, the middle to the next, and the floats beside the middle.
  for (size_t i = 0; i + 1 < this->values_.size(); ++i) {
    const auto x = static_cast<float>(this->values_[i]);
    const auto middle = static_cast<float>((this->values_[i] + this->values_[i + 1]) / 2);
    check(x);
    check(middle);
    check(std::nextafter(middle, 0.0F));
    check(std::nextafter(middle, kInfinity));
  }
  check(std::numeric_limits<float>::max());
  check(std::numeric_limits<float>::denorm_min());
  check(kInfinity);
  EXPECT_EQ(pack_halves<typename TypeParam::Half>(kNan, -kNan), 0x7FFF7FFFU);
  std::minstd_rand random(5);
  for (int i = 0; i < 100000; ++i) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(random() * 2) & 0x7FFFFFFFU);
    if (!std::isnan(x)) check(x);
  }
}

TYPED_TEST(HalfOf, IsMultipliedAndRoundedOnce) {
  this->for_pairs([&](uint16_t a, uint16_t b) {
    const uint32_t got = multiply_halves<typename TypeParam::Half>(twice(a), twice(b));
    ASSERT_EQ(got, twice(this->nearest(this->value(a) * this->value(b)))) << a << " " << b;
  });
}

TYPED_TEST(HalfOf, IsSubtractedAndRoundedOnce) {
  this->for_pairs([&](uint16_t a, uint16_t b) {
    const uint32_t got = subtract_halves<typename TypeParam::Half>(twice(a), twice(b));
    // Long double holds the difference, or all of it that decides.
    const long double exact =
        static_cast<long double>(this->value(a)) - static_cast<long double>(this->value(b));
    const auto near = static_cast<double>(exact);
    ASSERT_EQ(got, twice(this->nearest(near))) << a << " " << b;
  });
}

TEST(Exp2Fast, IsZeroForMinusInfinity) {
  EXPECT_EQ(exp2_fast(-kInfinity), 0.0F);
  EXPECT_EQ(exp2_fast(-3.0F), 0.125F);
  EXPECT_TRUE(std::isnan(exp2_fast(kNan)));
}

}  // namespace
}  // namespace attnrt::cuda
