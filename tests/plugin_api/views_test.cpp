// Views over tensors, caches and scales: what they accept, and where they point.
#include "attnrt/plugin/views.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace attnrt::plugin {
namespace {

using ::testing::HasSubstr;

attnrt_tensor tensor(std::vector<float>& data) {
  return {data.data(), ATTNRT_DTYPE_F32, 3, {2, 3, 4, 0}, {20, 5, 1, 0}};
}

std::string refusal(const attnrt_tensor& t) {
  try {
    const Rows<float> rows(t, "q", ATTNRT_DTYPE_F32, 2, 3, 4);
    return "accepted";
  } catch (const PluginError& e) {
    EXPECT_EQ(e.status(), ATTNRT_INVALID_ARGUMENT);
    return e.what();
  }
}

TEST(Rows, FollowTheStrides) {
  std::vector<float> data(40);
  const Rows<float> rows(tensor(data), "q", ATTNRT_DTYPE_F32, 2, 3, 4);
  EXPECT_EQ(rows(1, 2), data.data() + 30);
}

TEST(Rows, SayWhatIsWrongWithATensor) {
  std::vector<float> data(40);
  attnrt_tensor t = tensor(data);
  EXPECT_EQ(refusal(t), "accepted");
  t.dtype = ATTNRT_DTYPE_BF16;
  EXPECT_THAT(refusal(t), HasSubstr("q is bf16 (4), expected f32"));
  t = tensor(data);
  t.rank = 2;
  EXPECT_THAT(refusal(t), HasSubstr("q has rank 2, expected 3"));
  t = tensor(data);
  t.shape[1] = 4;
  EXPECT_THAT(refusal(t), HasSubstr("q has shape [2, 4, 4], expected [2, 3, 4]"));
  t = tensor(data);
  t.stride[2] = 2;
  EXPECT_THAT(refusal(t), HasSubstr("last stride is 2, expected 1"));
  t = tensor(data);
  t.data = nullptr;
  EXPECT_THAT(refusal(t), HasSubstr("q.data is null"));
}

TEST(Scales, AreOneUntilGivenAndPerHeadWhereThereAreSeveral) {
  const float values[] = {2.0F, 3.0F};
  EXPECT_EQ(scale_of({nullptr, 0, 0.0F}, 1), 1.0F);
  EXPECT_EQ(scale_of({values, 1, 2.0F}, 1), 2.0F);
  EXPECT_EQ(scale_of({values, 2, 0.0F}, 1), 3.0F);
  EXPECT_NO_THROW(check_scale({values, 2, 0.0F}, "k_scale", 2));
  EXPECT_THROW(check_scale({values, 2, 0.0F}, "k_scale", 3), PluginError);
  EXPECT_THROW(check_scale({nullptr, 1, 0.0F}, "k_scale", 3), PluginError);
}

TEST(CacheRows, StandWhereTheStridesSay) {
  std::vector<std::byte> bytes(1000);
  const attnrt_cache_side side{bytes.data(), 100, 10, 3, bytes.data() + 7, 200, 20, 5};
  EXPECT_EQ(cache_row(side, 2, 3, 4) - bytes.data(), 242);
  EXPECT_EQ(cache_scales(side, 2, 3, 4) - bytes.data(), 487);
}

TEST(Dtypes, HaveNamesAndSizes) {
  EXPECT_STREQ(dtype_name(ATTNRT_DTYPE_FP8_E4M3FNUZ), "fp8_e4m3fnuz");
  EXPECT_STREQ(dtype_name(99), "unknown");
  EXPECT_EQ(dtype_bytes(ATTNRT_DTYPE_F64), 8);
  EXPECT_EQ(dtype_bytes(ATTNRT_DTYPE_BF16), 2);
  EXPECT_EQ(dtype_bytes(ATTNRT_DTYPE_FP8_E5M2), 1);
  EXPECT_EQ(dtype_bytes(0), 0);
}

}  // namespace
}  // namespace attnrt::plugin
