// exp and tanh keep the errors that math.hpp and docs/accuracy.md state, over their whole range.
#include <cmath>
#include <cstring>
#include <limits>

#include "each_isa.hpp"

namespace attnrt::cpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class Math : public EachIsa {
 protected:
  std::vector<float> exp(const std::vector<float>& x) const {
    std::vector<float> y(x.size());
    kernels().exp(x.data(), y.data(), static_cast<int64_t>(x.size()));
    return y;
  }
  std::vector<float> tanh(const std::vector<float>& x) const {
    std::vector<float> y(x.size());
    kernels().tanh(x.data(), y.data(), static_cast<int64_t>(x.size()));
    return y;
  }
};

// Every `step`-th float from low to high, both of one sign.
std::vector<float> sweep(float low, float high, uint32_t step) {
  uint32_t a;
  uint32_t b;
  std::memcpy(&a, &low, sizeof(a));
  std::memcpy(&b, &high, sizeof(b));
  if (a > b) std::swap(a, b);
  std::vector<float> values;
  for (uint64_t i = a; i <= b; i += step) {
    const auto bits = static_cast<uint32_t>(i);
    float x;
    std::memcpy(&x, &bits, sizeof(x));
    values.push_back(x);
  }
  return values;
}

double worst_relative(const std::vector<float>& x, const std::vector<float>& y) {
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double exact = std::exp(double{x[i]});
    worst = std::max(worst, std::abs(double{y[i]} - exact) / exact);
  }
  return worst;
}

TEST_P(Math, ExpErrsByNoMoreThanStated) {
  const std::vector<float> negative = sweep(-87.33F, -1e-30F, 211);
  EXPECT_LE(worst_relative(negative, exp(negative)), 0x1p-22);
  const std::vector<float> positive = sweep(1e-30F, 88.0F, 499);
  EXPECT_LE(worst_relative(positive, exp(positive)), 0x1p-22);
}

// Softmax on a matrix unit is in powers of two, of scores less their maximum.
TEST(MatrixUnit, Exp2ErrsByNoMoreThanStated) {
  int sets = 0;
  for (const Isa& isa : instruction_sets()) {
    if (!isa.available || isa.table().exp2 == nullptr) continue;
    ++sets;
    const std::vector<float> x = sweep(-126.0F, -1e-30F, 211);
    std::vector<float> y(x.size());
    isa.table().exp2(x.data(), y.data(), static_cast<int64_t>(x.size()));
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double exact = std::exp2(double{x[i]});
      worst = std::max(worst, std::abs(double{y[i]} - exact) / exact);
    }
    EXPECT_LE(worst, 0x1p-22);
    const std::vector<float> special = {0.0F, -kInfinity, NAN, -126.5F, -3e38F};
    std::vector<float> found(special.size());
    isa.table().exp2(special.data(), found.data(), static_cast<int64_t>(special.size()));
    EXPECT_EQ(found[0], 1.0F);
    EXPECT_EQ(found[1], 0.0F);
    EXPECT_TRUE(std::isnan(found[2]));
    EXPECT_EQ(found[3], 0.0F);
    EXPECT_EQ(found[4], 0.0F);
  }
  if (sets == 0) GTEST_SKIP() << "no matrix unit";
}

TEST_P(Math, ExpOfSpecialValues) {
  const std::vector<float> y =
      exp({0.0F, -0.0F, -kInfinity, kInfinity, NAN, -100.0F, 100.0F, -3e38F});
  EXPECT_EQ(y[0], 1.0F);
  EXPECT_EQ(y[1], 1.0F);
  EXPECT_EQ(y[2], 0.0F);
  EXPECT_EQ(y[3], kInfinity);
  EXPECT_TRUE(std::isnan(y[4]));
  EXPECT_EQ(y[5], 0.0F);
  EXPECT_EQ(y[6], kInfinity);
  EXPECT_EQ(y[7], 0.0F);
}

TEST_P(Math, ExpNeverGivesSubnormals) {
  for (const float y : exp(sweep(-88.5F, -86.5F, 1))) {
    EXPECT_TRUE(y == 0.0F || y >= std::numeric_limits<float>::min()) << y;
  }
}

TEST_P(Math, TanhErrsByNoMoreThanStated) {
  for (const float sign : {1.0F, -1.0F}) {
    std::vector<float> x = sweep(1e-30F, 30.0F, 997);
    for (float& value : x) value *= sign;
    const std::vector<float> y = tanh(x);
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      worst = std::max(worst, std::abs(double{y[i]} - std::tanh(double{x[i]})));
    }
    EXPECT_LE(worst, 0x1p-21);
  }
}

TEST_P(Math, TanhOfSpecialValues) {
  const std::vector<float> y = tanh({0.0F, kInfinity, -kInfinity, NAN});
  EXPECT_EQ(y[0], 0.0F);
  EXPECT_EQ(y[1], 1.0F);
  EXPECT_EQ(y[2], -1.0F);
  EXPECT_TRUE(std::isnan(y[3]));
}

INSTANTIATE_TEST_SUITE_P(Isa, Math, ::testing::ValuesIn(available_isas()), isa_label);

}  // namespace
}  // namespace attnrt::cpu
