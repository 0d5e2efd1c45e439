// Every code of the 8-bit formats comes through attention as its value: over a single key the
// output is V itself. q in bf16, so the matrix unit's tables are among what is read.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/codec/fp8_e4m3.h"
#include "kernels/codec/fp8_e4m3fnuz.h"
#include "kernels/codec/fp8_e5m2.h"
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
  PluginDriver driver(ATTNRT_BINARY_DIR "/plugins/cpu.so", options);
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

INSTANTIATE_TEST_SUITE_P(Isa, Codes, ::testing::ValuesIn(cpu::available_isas()), cpu::isa_label);

}  // namespace
}  // namespace attnrt::testing
