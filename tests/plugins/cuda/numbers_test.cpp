// The arithmetic of the CUDA kernels one by one: every stored code widened to both halves is the
// codec's value, tanh, places of q, division by multiplication.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "kernels/codec/e2m1.h"
#include "kernels/codec/fp8_e4m3.h"
#include "kernels/codec/fp8_e5m2.h"
#include "kernels/cuda/attend.cuh"
#include "kernels/cuda/expand.cuh"
#include "tests/support/error_bound.hpp"

namespace attnrt::cuda {
namespace {

template <class Half>
double half(uint32_t pair, int i) {
  return half_to_float<Half>(static_cast<uint16_t>(pair >> (16 * i)));
}

void expect_same(double found, double expected, uint32_t code) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(found)) << code;
  } else {
    EXPECT_EQ(found, expected) << code;
    EXPECT_EQ(std::signbit(found), std::signbit(expected)) << code;
  }
}

// Two neighbouring units with every code in every place.
template <Format kFormat, class Half, class Decode>
void expect_expanded(int codes, Decode decode) {
  constexpr int kUnit = per_unit(kFormat);
  constexpr int kBits = element_bits(kFormat);
  for (int place = 0; place < 2 * kUnit; ++place) {
    for (uint32_t code = 0; code < static_cast<uint32_t>(codes); ++code) {
      const uint32_t other = (code * 7 + 3) % static_cast<uint32_t>(codes);
      uint32_t x = 0;
      for (int i = 0; i < 2 * kUnit; ++i) x |= (i == place ? code : other) << (kBits * i);
      uint32_t pairs[kUnit];
      expand<kFormat, Half>(x, pairs);
      const double found = half<Half>(pairs[place % kUnit], place / kUnit);
      // The factor of nvfp4 is that of its scales.
      const double factor =
          has_block_scales(kFormat) ? 1.0 : double{expanded_factor<kFormat, Half>()};
      expect_same(found * factor, decode(code), code);
    }
  }
}

double e4m3(uint32_t code) {
  return codec::Fp8E4M3::decode(static_cast<uint8_t>(code));
}
double e5m2(uint32_t code) {
  return codec::Fp8E5M2::decode(static_cast<uint8_t>(code));
}
double int8(uint32_t code) {
  return static_cast<int8_t>(code);
}
double e2m1(uint32_t code) {
  return codec::E2M1::decode(static_cast<uint8_t>(code));
}

TEST(Expand, GivesEveryCodeItsValue) {
  expect_expanded<Format::kE4m3, F16>(256, e4m3);
  expect_expanded<Format::kE4m3, Bf16>(256, e4m3);
  expect_expanded<Format::kE5m2, F16>(256, e5m2);
  expect_expanded<Format::kE5m2, Bf16>(256, e5m2);
  expect_expanded<Format::kInt8, F16>(256, int8);
  expect_expanded<Format::kInt8, Bf16>(256, int8);
  expect_expanded<Format::kNvfp4, F16>(16, e2m1);
  expect_expanded<Format::kNvfp4, Bf16>(16, e2m1);
}

template <class Half>
void expect_codes_less_zeros() {
  for (uint32_t x = 0; x < 0x10000; x += 7) {
    for (uint32_t zero = 0; zero < 16; ++zero) {
      const uint32_t next = 15 - zero;
      uint32_t pairs[4];
      expand_codes<Half>(x | (x ^ 0xFFFFU) << 16, based_zeros<Half>(zero, next), pairs);
      for (int j = 0; j < 4; ++j) {
        const auto code = static_cast<double>(x >> (4 * j) & 0xFU);
        EXPECT_EQ(half<Half>(pairs[j], 0), code - zero) << x << ' ' << zero;
        EXPECT_EQ(half<Half>(pairs[j], 1), 15 - code - next) << x << ' ' << zero;
      }
    }
  }
}
TEST(Expand, GivesCodesLessTheirRowsZeroPoints) {
  expect_codes_less_zeros<F16>();
  expect_codes_less_zeros<Bf16>();
}

TEST(Unit, BringsScalesToWhatAHalfHolds) {
  for (float scale = 1e-30F; scale < 1e33F; scale *= 1.37F) {
    const float product = scale * inverse_of_unit(unit_of(scale));
    EXPECT_GE(product, 0x1p14F) << scale;
    EXPECT_LT(product, 0x1p15F) << scale;
    EXPECT_EQ(unit_of(scale) * inverse_of_unit(unit_of(scale)), 1.0F) << scale;
  }
  EXPECT_EQ(unit_of(0.0F), kLeastUnit);
  EXPECT_EQ(unit_of(INFINITY) * inverse_of_unit(unit_of(INFINITY)), 1.0F);
}

TEST(Expand, ScaledCodesOfFourBitsAreExact) {
  for (uint32_t scale = 0; scale < 256; ++scale) {
    if (std::isnan(e4m3(scale))) continue;
    const uint32_t wide = expand_bytes<Format::kE4m3, Bf16>(scale | scale << 16);
    for (uint32_t code = 0; code < 16; ++code) {
      const uint32_t x = multiply_halves<Bf16>(expand_nibbles<Bf16>(code | code << 16), wide);
      EXPECT_EQ(half<Bf16>(x, 0), e4m3(scale) * e2m1(code)) << scale << ' ' << code;
    }
  }
}

TEST(Expand, FindsInfinitiesAndNaNAlone) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto x = static_cast<uint16_t>(bits);
    const bool f16 = !std::isfinite(half_to_float<F16>(x));
    const bool bf16 = !std::isfinite(half_to_float<Bf16>(x));
    for (const int shift : {0, 16}) {
      EXPECT_EQ(special_halves<F16>(bits << shift) != 0, f16) << bits;
      EXPECT_EQ(special_halves<Bf16>(bits << shift) != 0, bf16) << bits;
    }
  }
}

TEST(TanhFast, ErrsByLessThanTheBoundAllows) {
  double worst = 0;
  for (double x = -30; x <= 30; x += 0.0007) {
    const auto narrow = static_cast<float>(x);
    worst = std::max(worst, std::abs(double{tanh_fast(narrow)} - std::tanh(double{narrow})));
  }
  EXPECT_LT(worst,
            attnrt::testing::kTanhError / 2);  // the shim's exp2 is exact: a GPU's adds as much
  EXPECT_EQ(tanh_fast(INFINITY), 1.0F);
  EXPECT_EQ(tanh_fast(-INFINITY), -1.0F);
  EXPECT_TRUE(std::isnan(tanh_fast(NAN)));
}

// A fragment of q meets the elements that expand() puts beside each other: every element once.
template <Format kFormat>
void expect_permutation(int elements) {
  std::vector<int> seen(static_cast<size_t>(elements));
  for (int e = 0; e < elements; ++e) ++seen.at(static_cast<size_t>(q_position<kFormat>(e)));
  for (const int times : seen) EXPECT_EQ(times, 1);
}
TEST(QueryPosition, IsAPermutation) {
  expect_permutation<Format::kBf16>(576);
  expect_permutation<Format::kE4m3>(576);
  expect_permutation<Format::kNvfp4>(640);
  expect_permutation<Format::kInt4>(512);
  expect_permutation<Format::kDsMlaV32>(704);
}

TEST(Divide, ByMultiplicationIsDivision) {
  std::mt19937 random(3);
  for (uint32_t d = 1; d <= 300; ++d) {
    const Divisor by = make_divisor(d);
    const auto n = static_cast<int>(d);
    for (int k = 1; k < 1000; ++k) {
      for (const int x : {k * n - 1, k * n, k * n + 1}) EXPECT_EQ(divide(x, by), x / n);
    }
    for (int i = 0; i < 2000; ++i) {
      const auto x = static_cast<int>(random() >> 1);
      EXPECT_EQ(divide(x, by), x / n) << x << " / " << d;
    }
    EXPECT_EQ(divide(INT32_MAX, by), INT32_MAX / n) << d;
  }
}

}  // namespace
}  // namespace attnrt::cuda
