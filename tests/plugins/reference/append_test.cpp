// append: what is stored, where, and what is not touched.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "attnrt/plugin/views.hpp"
#include "kernels/codec/bf16.h"
#include "tests/plugins/reference/attention_fixture.hpp"
#include "tests/support/tensor_file.hpp"

namespace attnrt::testing {
namespace {

struct FormatCase {
  const char* name;
  bool latent;
  int32_t values;     // a row, as in the recorded file
  uint64_t lost = 0;  // NaN that the format cannot store, of the two in the recorded row
};

void PrintTo(const FormatCase& c, std::ostream* out) {
  *out << c.name;
}

class RecordedRows : public ::testing::TestWithParam<FormatCase> {};

// Each recorded row of a format at a slot of its own must read as recorded: the page's addresses,
// K's and V's scales, permuted or not, are the plugin's to find.
TEST_P(RecordedRows, StandWhereTheViewSays) {
  const FormatCase& f = GetParam();
  const std::string source =
      std::string(f.name) == "nvfp4_swizzled" ? "nvfp4_linear" : std::string(f.name);
  const TensorFile file(ATTNRT_SOURCE_DIR "/tests/data/codec/rows.safetensors");
  const auto inputs = file.get<float>(source + ".inputs");
  const auto data = file.get<uint8_t>(source + ".data");
  const auto rows = static_cast<int32_t>(file.shape(source + ".inputs")[0]);
  const size_t row_bytes = data.size() / static_cast<size_t>(rows);

  CacheSpec spec;
  spec.format = *parse_format(f.name);
  spec.kind = f.latent ? CacheKind::kLatent : CacheKind::kSeparate;
  spec.head_dim = {f.values, f.latent ? 512 : f.values};
  spec.block_size = 4;
  spec.blocks = (rows + 3) / 4 + 1;
  spec.row_gap = 3;
  spec.page_gap = 5;
  PagedCache cache(spec);
  DenseTensor k(ATTNRT_DTYPE_F32, {rows, 1, f.values}, 1);
  k.fill(std::vector<double>(inputs.begin(), inputs.end()));
  std::vector<int64_t> slots(static_cast<size_t>(rows));
  for (int32_t i = 0; i < rows; ++i) slots[static_cast<size_t>(i)] = rows - i;

  attnrt_layer_class layer =
      make_layer_class(ATTNRT_OP_APPEND, f.name, 1, 1, f.values, f.latent ? 512 : f.values);
  layer.block_size = 4;
  layer.cache_kind = f.latent ? ATTNRT_CACHE_LATENT : ATTNRT_CACHE_SEPARATE;
  PluginDriver driver(kReferencePlugin);
  const OpHandle op = driver.prepare("plain", layer);
  uint64_t lost = 10;
  AppendCall call;
  call.k = k.view();
  if (!f.latent) call.v = k.view();
  call.cache = cache.view();
  call.slots = slots;
  call.nan_count = &lost;
  driver.append(*op, call);

  EXPECT_EQ(lost, 10 + f.lost * (f.latent ? 1 : 2));
  EXPECT_TRUE(cache.foreign_bytes_untouched(slots));
  const attnrt_cache_view view = cache.view();
  for (int32_t r = 0; r < rows; ++r) {
    const int64_t slot = slots[static_cast<size_t>(r)];
    const auto* stored =
        reinterpret_cast<const uint8_t*>(plugin::cache_row(view.k, slot / 4, slot % 4, 0));
    const uint8_t* recorded = data.data() + static_cast<size_t>(r) * row_bytes;
    EXPECT_TRUE(std::equal(recorded, recorded + row_bytes, stored)) << "row " << r;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, RecordedRows,
                         ::testing::Values(FormatCase{"int8_per_token_head", false, 80, 2},
                                           FormatCase{"fp8_per_token_head", false, 80},
                                           FormatCase{"int4_per_token_head", false, 64, 2},
                                           FormatCase{"int4_per_token_head_zp", false, 64, 2},
                                           FormatCase{"nvfp4_linear", false, 64, 2},
                                           FormatCase{"nvfp4_swizzled", false, 64, 2},
                                           FormatCase{"nvfp4_4over6", false, 64, 2},
                                           FormatCase{"fp8_ds_mla_v32", true, 576},
                                           FormatCase{"fp8_ds_mla_v4", true, 512},
                                           FormatCase{"fp8_ds_mla_v41", true, 512},
                                           FormatCase{"nvfp4_ds_mla", true, 576, 2}),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

struct SmallAppend {
  SmallAppend(int32_t tokens, int32_t dtype)
      : k(dtype, {tokens, 2, 8}), v(dtype, {tokens, 2, 8}), cache(spec()) {
    k.fill(1.0);
    v.fill(2.0);
    layer.q_dtype = dtype;
    layer.block_size = 4;
  }
  static CacheSpec spec() {
    CacheSpec s;
    s.format = Format::kBf16;
    s.head_dim = {8, 8};
    s.kv_heads = 2;
    s.block_size = 4;
    s.blocks = 3;
    return s;
  }
  void run(PluginDriver& driver) {
    const OpHandle op = driver.prepare("plain", layer);
    AppendCall call;
    call.k = k.view();
    call.v = v.view();
    call.cache = cache.view();
    call.slots = slots;
    driver.append(*op, call);
  }
  double stored_k(int64_t slot, int32_t head, int32_t i) {
    const attnrt_cache_view view = cache.view();
    const auto* row =
        reinterpret_cast<const uint8_t*>(plugin::cache_row(view.k, slot / 4, slot % 4, head));
    return codec::Bf16::decode(codec::load<uint16_t>(row + 2 * i));
  }

  DenseTensor k, v;
  PagedCache cache;
  attnrt_layer_class layer = make_layer_class(ATTNRT_OP_APPEND, "bf16", 2, 2, 8, 8);
  std::vector<int64_t> slots;
};

TEST(Append, SkipsNegativeSlots) {
  SmallAppend a(3, ATTNRT_DTYPE_F32);
  a.slots = {5, -1, 0};
  PluginDriver driver(kReferencePlugin);
  a.run(driver);
  EXPECT_TRUE(a.cache.foreign_bytes_untouched(a.slots));
  EXPECT_EQ(a.stored_k(5, 1, 7), 1.0);
  EXPECT_EQ(a.stored_k(0, 0, 0), 1.0);
}

TEST(Append, TakesEveryElementType) {
  for (const int32_t dtype :
       {ATTNRT_DTYPE_F64, ATTNRT_DTYPE_F32, ATTNRT_DTYPE_F16, ATTNRT_DTYPE_BF16,
        ATTNRT_DTYPE_FP8_E4M3, ATTNRT_DTYPE_FP8_E5M2, ATTNRT_DTYPE_FP8_E4M3FNUZ}) {
    SmallAppend a(1, dtype);
    a.k.set(0, 1, 3, -1.75);
    a.slots = {2};
    PluginDriver driver(kReferencePlugin);
    a.run(driver);
    EXPECT_EQ(a.stored_k(2, 1, 3), a.k.get(0, 1, 3)) << plugin::dtype_name(dtype);
  }
}

TEST(Append, DividesByTheScaleOfTheHead) {
  SmallAppend a(1, ATTNRT_DTYPE_F32);
  a.cache.set_scales({4.0F, 0.5F}, {1.0F});
  a.slots = {0};
  PluginDriver driver(kReferencePlugin);
  a.run(driver);
  EXPECT_EQ(a.stored_k(0, 0, 0), 0.25);
  EXPECT_EQ(a.stored_k(0, 1, 0), 2.0);
}

TEST(Append, OfNothingIsNothing) {
  SmallAppend a(0, ATTNRT_DTYPE_F32);
  PluginDriver driver(kReferencePlugin);
  a.run(driver);
  EXPECT_TRUE(a.cache.foreign_bytes_untouched({}));
}

}  // namespace
}  // namespace attnrt::testing
