// Element types against values that ml_dtypes and numpy recorded: all codes of the 8- and 4-bit
// types, edges of the 16-bit ones; every midpoint between neighbours, and its neighbours, stored.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/codec/bf16.h"
#include "kernels/codec/e2m1.h"
#include "kernels/codec/f16.h"
#include "kernels/codec/f32.h"
#include "kernels/codec/fp8_e4m3.h"
#include "kernels/codec/fp8_e4m3fnuz.h"
#include "kernels/codec/fp8_e5m2.h"
#include "tests/support/tensor_file.hpp"

namespace attnrt::codec {
namespace {

using testing::TensorFile;

const TensorFile& fixture() {
  static const TensorFile file(ATTNRT_SOURCE_DIR "/tests/data/codec/elements.safetensors");
  return file;
}

template <class Element>
struct Name;
template <>
struct Name<F16> {
  static constexpr const char* kText = "f16";
};
template <>
struct Name<Bf16> {
  static constexpr const char* kText = "bf16";
};
template <>
struct Name<Fp8E4M3> {
  static constexpr const char* kText = "fp8_e4m3";
};
template <>
struct Name<Fp8E5M2> {
  static constexpr const char* kText = "fp8_e5m2";
};
template <>
struct Name<Fp8E4M3Fnuz> {
  static constexpr const char* kText = "fp8_e4m3fnuz";
};
template <>
struct Name<E2M1> {
  static constexpr const char* kText = "e2m1";
};

template <class Element>
class Elements : public ::testing::Test {
 protected:
  using Code = typename Element::Code;
  const std::string name = Name<Element>::kText;
};

using Types = ::testing::Types<F16, Bf16, Fp8E4M3, Fp8E5M2, Fp8E4M3Fnuz, E2M1>;
struct TypeNames {
  template <class Element>
  static std::string GetName(int) {
    return Name<Element>::kText;
  }
};
TYPED_TEST_SUITE(Elements, Types, TypeNames);

bool same(float a, double b) {
  return std::isnan(b) ? std::isnan(a) : double{a} == b && std::signbit(a) == std::signbit(b);
}

TYPED_TEST(Elements, ReadsEveryCodeAsRecorded) {
  const auto codes = fixture().get<uint32_t>(this->name + ".codes");
  const auto values = fixture().get<double>(this->name + ".values");
  ASSERT_GE(codes.size(), 16U);
  for (size_t i = 0; i < codes.size(); ++i) {
    const float read = TypeParam::decode(static_cast<typename TypeParam::Code>(codes[i]));
    EXPECT_TRUE(same(read, values[i]))
        << "code " << codes[i] << " is " << read << ", recorded " << values[i];
  }
}

TYPED_TEST(Elements, StoresTiesLimitsAndSpecialsAsRecorded) {
  const auto inputs = fixture().get<float>(this->name + ".inputs");
  const auto stored = fixture().get<uint32_t>(this->name + ".stored");
  ASSERT_GE(inputs.size(), 500U);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto code = TypeParam::encode(inputs[i]);
    // A NaN's payload is nobody's business; that it is one is.
    const auto recorded = static_cast<typename TypeParam::Code>(stored[i]);
    const bool both_nan =
        std::isnan(TypeParam::decode(code)) && std::isnan(TypeParam::decode(recorded));
    EXPECT_TRUE(code == recorded || both_nan)
        << inputs[i] << " is stored as " << +code << ", recorded " << +recorded;
  }
}

TYPED_TEST(Elements, StoresWhatItReads) {
  for (const uint32_t code : fixture().get<uint32_t>(this->name + ".codes")) {
    const float value = TypeParam::decode(static_cast<typename TypeParam::Code>(code));
    if (!std::isfinite(value)) continue;
    EXPECT_EQ(TypeParam::encode(value), code);
  }
}

TEST(Infinities, StayInSixteenBitsAndSaturateInEight) {
  const float infinity = INFINITY;
  EXPECT_EQ(F16::decode(F16::encode(infinity)), infinity);
  EXPECT_EQ(Bf16::decode(Bf16::encode(-infinity)), -infinity);
  EXPECT_EQ(Fp8E4M3::decode(Fp8E4M3::encode(infinity)), 448.0F);
  EXPECT_EQ(Fp8E5M2::decode(Fp8E5M2::encode(-infinity)), -57344.0F);
  EXPECT_EQ(Fp8E4M3Fnuz::decode(Fp8E4M3Fnuz::encode(infinity)), 240.0F);
  EXPECT_EQ(E2M1::decode(E2M1::encode(-infinity)), -6.0F);
}

TEST(FiniteValues, NeverBecomeInfinities) {
  EXPECT_EQ(F16::decode(F16::encode(1e6F)), 65504.0F);
  EXPECT_EQ(F16::decode(F16::encode(-65520.0F)), -65504.0F);
  EXPECT_EQ(Bf16::decode(Bf16::encode(kMaxFloat)), Bf16::kMax);
}

TEST(NaN, IsStoredAsNaNWhereThereIsOneElseAsZero) {
  const float nan = std::nanf("");
  EXPECT_TRUE(std::isnan(F16::decode(F16::encode(nan))));
  EXPECT_TRUE(std::isnan(Bf16::decode(Bf16::encode(-nan))));
  EXPECT_TRUE(std::isnan(Fp8E4M3::decode(Fp8E4M3::encode(nan))));
  EXPECT_TRUE(std::isnan(Fp8E5M2::decode(Fp8E5M2::encode(nan))));
  EXPECT_EQ(Fp8E4M3Fnuz::encode(nan), 0x80);
  EXPECT_EQ(E2M1::encode(nan), 0);
  EXPECT_EQ(E2M1::encode(-nan), 0);
}

TEST(F32Element, KeepsEveryBit) {
  for (const uint32_t bits : {0U, 0x80000000U, 1U, 0x7F800000U, 0x7FC12345U, 0x3F9D70A4U}) {
    EXPECT_EQ(F32::encode(F32::decode(bits)), bits);
  }
}

}  // namespace
}  // namespace attnrt::codec
