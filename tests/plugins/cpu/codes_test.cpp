// Every code of the 8-bit formats comes through attention as its value: over a single key the
// output is V itself. q in bf16, so the matrix unit's tables are among what is read.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "kernels/codec/fp8_e4m3.h"
#include "kernels/codec/fp8_e4m3fnuz.h"
#include "kernels/codec/fp8_e5m2.h"
#include "tests/plugins/cpu/cpu_fixture.hpp"
#include "tests/plugins/cpu/each_isa.hpp"
#include "tests/support/dense_tensor.hpp"
#include "tests/support/paged_cache.hpp"
#include "tests/support/plugin_driver.hpp"
#include "tests/support/test_batch.hpp"

namespace attnrt::testing {
namespace {

constexpr int32_t kDim = 64;
constexpr int32_t kKeys = 256 / kDim;
constexpr int32_t kQueryHeads = 8;  // enough for the matrix unit to be worth it

// K of zeros, V of all codes in order, a sequence a key.
DenseTensor all_codes(const std::string& isa, Format format, float (*decode)(uint8_t)) {
  const TestBatch batch(std::vector<SequenceLengths>(kKeys, SequenceLengths{1, 1}), 16);
  CacheSpec spec;
  spec.format = format;
  spec.head_dim = {kDim, kDim};
  spec.blocks = batch.blocks();
  PagedCache cache(spec);
  const TensorShape shape{kKeys, 1, kDim};
  DenseTensor k(ATTNRT_DTYPE_BF16, shape);
  DenseTensor v(ATTNRT_DTYPE_BF16, shape);
  DenseTensor q(ATTNRT_DTYPE_BF16, {kKeys, kQueryHeads, kDim});
  DenseTensor out(ATTNRT_DTYPE_F32, {kKeys, kQueryHeads, kDim});
  for (int32_t code = 0; code < 256; ++code) {
    const float value = decode(static_cast<uint8_t>(code));
    v.set(code / kDim, 0, code % kDim, std::isfinite(value) ? double{value} : std::nan(""));
  }
  DriverOptions options;
  options.options = {{"isa", isa}};
  PluginDriver driver(kCpuPlugin, options);
  const std::string format_name(name(format));  // the layer class points at it
  attnrt_layer_class layer =
      make_layer_class(ATTNRT_OP_APPEND, format_name.c_str(), kQueryHeads, 1, kDim, kDim);
  layer.q_dtype = ATTNRT_DTYPE_BF16;
  layer.out_dtype = ATTNRT_DTYPE_F32;
  const OpHandle append = driver.prepare("attend", layer);
  const std::vector<int64_t> slots = batch.key_slots();
  AppendCall stored;
  stored.k = k.view();
  stored.v = v.view();
  stored.cache = cache.view();
  stored.slots = slots;
  driver.append(*append, stored);
  layer.op = ATTNRT_OP_DECODE;
  const OpHandle attend = driver.prepare("attend", layer);
  AttendCall call;
  call.q = q.view();
  call.out = out.view();
  call.cache = cache.view();
  driver.attend(*attend, batch.view(), batch.bounds(), call);
  return out;
}

class Codes : public ::testing::TestWithParam<std::string> {
 protected:
  static void expect_all(Format format, float (*decode)(uint8_t)) {
    const DenseTensor out = all_codes(GetParam(), format, decode);
    for (int32_t code = 0; code < 256; ++code) {
      const float value = decode(static_cast<uint8_t>(code));
      const double found = out.get(code / kDim, 0, code % kDim);
      if (std::isfinite(value)) {
        EXPECT_EQ(found, double{value}) << name(format) << " code " << code;
      } else {
        EXPECT_TRUE(std::isnan(found)) << name(format) << " code " << code << ": " << found;
      }
    }
  }
};

TEST_P(Codes, ComeThroughAsTheirValues) {
  expect_all(Format::kFp8E4m3, codec::Fp8E4M3::decode);
  expect_all(Format::kFp8E5m2, codec::Fp8E5M2::decode);
  expect_all(Format::kFp8E4m3fnuz, codec::Fp8E4M3Fnuz::decode);
}

// int8 pages of K and V with every code, -128 too, which no append of ours writes: a sequence a
// key.
class Int8Page {
 public:
  Int8Page()
      : batch(std::vector<SequenceLengths>(kKeys, SequenceLengths{1, 1}), 16), cache(spec()) {
    const attnrt_cache_view view = cache.view();
    const std::vector<int64_t> slots = batch.key_slots();
    for (const attnrt_cache_side& side : {view.k, view.v}) {
      for (int32_t key = 0; key < kKeys; ++key)
        write_row(side, slots[static_cast<size_t>(key)], key);
    }
  }
  static double value(int32_t key, int32_t i) { return key * kDim + i - 128; }

  TestBatch batch;
  PagedCache cache;

 private:
  CacheSpec spec() const {
    CacheSpec s;
    s.format = Format::kInt8PerTokenHead;
    s.head_dim = {kDim, kDim};
    s.blocks = batch.blocks();
    return s;
  }
  static void write_row(const attnrt_cache_side& side, int64_t slot, int32_t key) {
    const int64_t at = slot / 16 * side.block_stride + slot % 16 * side.token_stride;
    auto* row = static_cast<uint8_t*>(side.data) + at;
    for (int32_t i = 0; i < kDim; ++i) {
      row[i] = static_cast<uint8_t>(static_cast<int8_t>(value(key, i)));
    }
    const float scale = 1.0F;
    const int64_t place = slot / 16 * side.scale_block_stride + slot % 16 * side.scale_token_stride;
    std::memcpy(static_cast<uint8_t*>(side.scales) + place, &scale, sizeof(scale));
  }
};

// Over a single key out is V, and with a query of a single 1 the score, and so lse, is one value of
// K.
TEST_P(Codes, EveryCodeOfInt8PagesCounts) {
  for (const int32_t heads : {4, 8, kDim}) {  // rows a head: few, and many
    Int8Page page;
    DriverOptions options;
    options.options = {{"isa", GetParam()}};
    PluginDriver driver(kCpuPlugin, options);
    attnrt_layer_class layer =
        make_layer_class(ATTNRT_OP_DECODE, "int8_per_token_head", heads, 1, kDim, kDim);
    layer.q_dtype = ATTNRT_DTYPE_BF16;
    layer.out_dtype = ATTNRT_DTYPE_F32;
    layer.softmax_scale = 1.0F;
    layer.features |= ATTNRT_FEATURE_LSE;
    const OpHandle attend = driver.prepare("attend", layer);
    for (int32_t first = 0; first < kDim; first += heads) {
      DenseTensor q(ATTNRT_DTYPE_BF16, {kKeys, heads, kDim});
      q.fill(0.0);
      DenseTensor out(ATTNRT_DTYPE_F32, {kKeys, heads, kDim});
      DenseTensor lse(ATTNRT_DTYPE_F32, {kKeys, heads, 0});
      for (int32_t key = 0; key < kKeys; ++key) {
        for (int32_t h = 0; h < heads; ++h) q.set(key, h, first + h, 1.0);
      }
      AttendCall call;
      call.q = q.view();
      call.out = out.view();
      call.lse = lse.view();
      call.cache = page.cache.view();
      driver.attend(*attend, page.batch.view(), page.batch.bounds(), call);
      for (int32_t key = 0; key < kKeys; ++key) {
        for (int32_t h = 0; h < heads; ++h) {
          const float score = static_cast<float>(lse.get(key, h, 0));
          EXPECT_FLOAT_EQ(score, static_cast<float>(Int8Page::value(key, first + h)))
              << heads << " heads";
        }
        for (int32_t i = 0; i < kDim; ++i) {
          EXPECT_EQ(out.get(key, 0, i), Int8Page::value(key, i)) << heads << " heads";
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, Codes, ::testing::ValuesIn(cpu::available_isas()), cpu::isa_label);

}  // namespace
}  // namespace attnrt::testing
