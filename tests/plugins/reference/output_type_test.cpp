// Outputs of every element type are the nearest value to the double result.
#include <gtest/gtest.h>

#include <cmath>

#include "attnrt/plugin/views.hpp"
#include "tests/plugins/reference/attention_fixture.hpp"

namespace attnrt::testing {
namespace {

// The next value of a type above or below a finite one, by stepping its code.
double neighbour(int32_t dtype, double value, bool away_from_zero) {
  uint8_t bytes[8] = {};
  write_element(dtype, bytes, value);
  uint64_t code = 0;
  std::memcpy(&code, bytes, 8);
  code += away_from_zero ? 1U : ~uint64_t{0};
  std::memcpy(bytes, &code, 8);
  const double next = read_element(dtype, bytes);
  return std::isnan(next) && !away_from_zero ? 0.0 : next;  // a type without negative zero
}

class OutputTypes : public ::testing::TestWithParam<int32_t> {};

TEST_P(OutputTypes, GetTheNearestValue) {
  PluginDriver driver(kReferencePlugin);
  const RecordedCase& c = recorded_case("everything");
  const std::vector<double> exact = run(driver, c, {}).out;
  Variant variant;
  variant.out_dtype = GetParam();
  const std::vector<double> rounded = run(driver, c, variant).out;
  ASSERT_EQ(rounded.size(), exact.size());
  for (size_t i = 0; i < exact.size(); ++i) {
    const double error = std::abs(rounded[i] - exact[i]);
    EXPECT_LE(error, std::abs(neighbour(GetParam(), rounded[i], true) - exact[i])) << exact[i];
    if (rounded[i] == 0.0) continue;
    EXPECT_LE(error, std::abs(neighbour(GetParam(), rounded[i], false) - exact[i])) << exact[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Types, OutputTypes,
                         ::testing::Values(ATTNRT_DTYPE_F32, ATTNRT_DTYPE_F16, ATTNRT_DTYPE_BF16,
                                           ATTNRT_DTYPE_FP8_E4M3, ATTNRT_DTYPE_FP8_E5M2,
                                           ATTNRT_DTYPE_FP8_E4M3FNUZ),
                         [](const auto& chosen) {
                           return std::string(plugin::dtype_name(chosen.param));
                         });

// Rounding to float and then to f16 would end at 1 + 2^-10: the double lies just below the middle
// between 1 and it, the nearest float is that middle, and ties go to even … from below they must
// not.
TEST(OutputRounding, HappensOnce) {
  PluginDriver driver(kReferencePlugin);
  attnrt_layer_class c = make_layer_class(ATTNRT_OP_MERGE, "", 1, 1, 1, 1);
  c.out_dtype = ATTNRT_DTYPE_F16;
  const OpHandle op = driver.prepare("merge", c);
  // Two parts of equal weight: their mean is exact in double, 1 + 3 * 2^-11 - 2^-25.
  DenseTensor a(ATTNRT_DTYPE_F32, {1, 1, 1});
  DenseTensor b(ATTNRT_DTYPE_F32, {1, 1, 1});
  DenseTensor zero(ATTNRT_DTYPE_F32, {1, 1, 0});
  a.set(0, 0, 0, 1 + 3 * 0x1p-11);
  b.set(0, 0, 0, 1 + 3 * 0x1p-11 - 0x1p-23);
  zero.fill(0.0);
  const attnrt_tensor outs[] = {a.view(), b.view()};
  const attnrt_tensor lses[] = {zero.view(), zero.view()};
  DenseTensor out(ATTNRT_DTYPE_F16, {1, 1, 1});
  attnrt_merge_args args{};
  args.struct_size = sizeof(args);
  args.parts = 2;
  args.part_out = outs;
  args.part_lse = lses;
  args.out = out.view();
  driver.merge(*op, args);
  EXPECT_EQ(out.get(0, 0), 1 + 0x1p-10);
}

}  // namespace
}  // namespace attnrt::testing
