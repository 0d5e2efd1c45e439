// merge against recorded results, and against attention over all keys at once.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/plugins/reference/attention_fixture.hpp"
#include "tests/support/tensor_file.hpp"

namespace attnrt::testing {
namespace {

struct Parts {
  std::vector<DenseTensor> outs, lses;
  std::vector<attnrt_tensor> out_views, lse_views;

  void add(DenseTensor out, DenseTensor lse) {
    outs.push_back(std::move(out));
    lses.push_back(std::move(lse));
  }
  attnrt_merge_args args(DenseTensor& out, DenseTensor* lse) {
    out_views.clear();
    lse_views.clear();
    for (DenseTensor& t : outs) out_views.push_back(t.view());
    for (DenseTensor& t : lses) lse_views.push_back(t.view());
    attnrt_merge_args a{};
    a.struct_size = sizeof(a);
    a.parts = static_cast<int32_t>(outs.size());
    a.part_out = out_views.data();
    a.part_lse = lse_views.data();
    a.out = out.view();
    if (lse != nullptr) a.lse = lse->view();
    return a;
  }
};

attnrt_layer_class merge_class(int32_t heads, int32_t width) {
  attnrt_layer_class c = make_layer_class(ATTNRT_OP_MERGE, "", heads, heads, width, width);
  c.features = ATTNRT_FEATURE_LSE;
  c.out_dtype = ATTNRT_DTYPE_F64;
  return c;
}

TEST(Merge, AgreesWithTheRecordedResult) {
  const TensorFile file(ATTNRT_SOURCE_DIR "/tests/data/attention/merge.safetensors");
  const std::vector<int64_t> shape = file.shape("part_out");
  const TensorShape whole{shape[1], shape[2], shape[3]};
  const TensorShape rows{shape[1], shape[2], 0};
  const auto part_out = file.get<float>("part_out");
  const auto part_lse = file.get<float>("part_lse");
  for (const int64_t padding : {0, 2}) {
    Parts parts;
    for (int64_t p = 0; p < shape[0]; ++p) {
      DenseTensor out(ATTNRT_DTYPE_F32, whole, padding);
      DenseTensor lse(ATTNRT_DTYPE_F32, rows, padding);
      const int64_t lse_values = rows.tokens * rows.heads;
      const int64_t out_values = lse_values * whole.width;
      const auto* o = part_out.data() + p * out_values;
      const auto* l = part_lse.data() + p * lse_values;
      out.fill(std::vector<double>(o, o + out_values));
      lse.fill(std::vector<double>(l, l + lse_values));
      parts.add(std::move(out), std::move(lse));
    }
    PluginDriver driver(kReferencePlugin);
    const OpHandle op = driver.prepare(
        "merge", merge_class(static_cast<int32_t>(shape[2]), static_cast<int32_t>(shape[3])));
    DenseTensor out(ATTNRT_DTYPE_F64, whole, padding);
    DenseTensor lse(ATTNRT_DTYPE_F64, rows, padding);
    driver.merge(*op, parts.args(out, &lse));

    const auto recorded_out = file.get<double>("out");
    const auto recorded_lse = file.get<double>("lse");
    const auto got_out = out.values();
    const auto got_lse = lse.values();
    for (size_t i = 0; i < got_out.size(); ++i) EXPECT_NEAR(got_out[i], recorded_out[i], 1e-12);
    for (size_t i = 0; i < got_lse.size(); ++i) {
      if (std::isinf(recorded_lse[i])) {
        EXPECT_EQ(got_lse[i], recorded_lse[i]);
      } else {
        EXPECT_NEAR(got_lse[i], recorded_lse[i], 1e-12 * std::abs(recorded_lse[i]));
      }
    }
    EXPECT_TRUE(out.padding_untouched() && lse.padding_untouched());
  }
}

TEST(Merge, OfOnePartIsThatPart) {
  Parts parts;
  DenseTensor part(ATTNRT_DTYPE_F32, {2, 1, 3});
  part.fill(std::vector<double>{1, -2, 0.5, 4, 5, -6});
  DenseTensor part_lse(ATTNRT_DTYPE_F32, {2, 1, 0});
  part_lse.fill(std::vector<double>{100.0, -100.0});
  parts.add(part, part_lse);
  PluginDriver driver(kReferencePlugin);
  const OpHandle op = driver.prepare("merge", merge_class(1, 3));
  DenseTensor out(ATTNRT_DTYPE_F64, {2, 1, 3});
  driver.merge(*op, parts.args(out, nullptr));
  EXPECT_EQ(out.values(), part.values());
}

// Keys split between two parts, the sink in one of them.
TEST(Merge, OfDisjointKeysIsAttentionOverAllOfThem) {
  PluginDriver driver(kReferencePlugin);
  RecordedCase c = recorded_case("sinks");
  c.features = ATTNRT_FEATURE_CROSS | ATTNRT_FEATURE_SINKS | ATTNRT_FEATURE_LSE;
  c.lengths = {{3, 19}};
  const auto take = [](std::vector<float>& from, int32_t first, int32_t count, int32_t width) {
    const auto begin = from.begin() + int64_t{first} * width;
    from = std::vector<float>(begin, begin + int64_t{count} * width);
  };
  take(c.q, 1, 3, c.q_heads * c.qk);
  take(c.k, 1, 19, c.kv_heads * c.qk);
  take(c.v_rows, 1, 19, c.kv_heads * c.v);
  const Outcome whole = run(driver, c, {});

  Parts parts;
  for (const auto& [first, count] : {std::pair{0, 8}, std::pair{8, 11}}) {
    RecordedCase part = c;
    part.lengths = {{3, count}};
    take(part.k, first, count, c.kv_heads * c.qk);
    take(part.v_rows, first, count, c.kv_heads * c.v);
    if (first > 0) part.features &= ~ATTNRT_FEATURE_SINKS;
    const Outcome half = run(driver, part, {});
    DenseTensor out(ATTNRT_DTYPE_F32, {3, c.q_heads, c.v});
    DenseTensor lse(ATTNRT_DTYPE_F32, {3, c.q_heads, 0});
    out.fill(half.out);
    lse.fill(half.lse);
    parts.add(std::move(out), std::move(lse));
  }
  const OpHandle op = driver.prepare("merge", merge_class(c.q_heads, c.v));
  DenseTensor out(ATTNRT_DTYPE_F64, {3, c.q_heads, c.v});
  DenseTensor lse(ATTNRT_DTYPE_F64, {3, c.q_heads, 0});
  driver.merge(*op, parts.args(out, &lse));
  // Parts are f32: a few units of their last place.
  const auto merged = out.values();
  for (size_t i = 0; i < merged.size(); ++i) EXPECT_NEAR(merged[i], whole.out[i], 1e-6);
  const auto merged_lse = lse.values();
  for (size_t i = 0; i < merged_lse.size(); ++i) EXPECT_NEAR(merged_lse[i], whole.lse[i], 1e-6);
}

}  // namespace
}  // namespace attnrt::testing
