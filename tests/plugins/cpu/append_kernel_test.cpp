// append stores the bytes that the codecs define, whatever the input.
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "each_isa.hpp"
#include "kernels/codec/bf16.h"
#include "kernels/codec/f16.h"
#include "kernels/codec/f32.h"
#include "kernels/codec/fp8_e4m3.h"
#include "kernels/codec/fp8_e4m3fnuz.h"
#include "kernels/codec/fp8_e5m2.h"
#include "kernels/codec/fp8_per_token_head.h"
#include "kernels/codec/int8_per_token_head.h"
#include "kernels/codec/plain_row.h"

namespace attnrt::cpu {
namespace {

// Floats around everything where an encoder can go wrong, and many random bit patterns.
std::vector<float> hard_floats() {
  std::vector<float> all = {0.0F, -0.0F, INFINITY, -INFINITY, NAN, -NAN};
  for (int32_t e = -149; e <= 127; ++e) {
    for (const float m : {1.0F, 1.0625F, 1.125F, 1.1875F, 1.25F, 1.5F, 1.75F, 1.875F, 1.9375F}) {
      const float x = std::ldexp(m, e);
      for (const float y : {x, std::nextafter(x, 0.0F), std::nextafter(x, INFINITY)}) {
        all.push_back(y);
        all.push_back(-y);
      }
    }
  }
  std::mt19937 random(1);
  while (all.size() < 40000) {
    const auto bits = static_cast<uint32_t>(random());
    float x;
    std::memcpy(&x, &bits, sizeof(x));
    all.push_back(x);
  }
  return all;
}

using EncodeRow = int32_t (*)(const float*, int32_t, uint8_t*, uint8_t*);

struct Target {
  Format format;
  int32_t bytes;  // a value
  EncodeRow encode;
};
const Target kTargets[] = {
    {Format::kF32, 4, codec::PlainRow<codec::F32>::encode_row},
    {Format::kF16, 2, codec::PlainRow<codec::F16>::encode_row},
    {Format::kBf16, 2, codec::PlainRow<codec::Bf16>::encode_row},
    {Format::kE4m3, 1, codec::PlainRow<codec::Fp8E4M3>::encode_row},
    {Format::kE5m2, 1, codec::PlainRow<codec::Fp8E5M2>::encode_row},
    {Format::kE4m3Fnuz, 1, codec::PlainRow<codec::Fp8E4M3Fnuz>::encode_row},
    {Format::kInt8, 1, codec::Int8PerTokenHead::encode_row},
    {Format::kFp8Row, 1, codec::Fp8PerTokenHead::encode_row},
};

// A NaN's payload is free: stored NaN are made equal before rows are compared.
void settle_nan(Format format, std::vector<uint8_t>& row) {
  const auto settle = [&]<class Code>(Code sign, Code infinity, Code nan) {
    for (size_t i = 0; i < row.size(); i += sizeof(Code)) {
      Code code;
      std::memcpy(&code, row.data() + i, sizeof(code));
      if (static_cast<Code>(code & ~sign) > infinity) code = nan;
      std::memcpy(row.data() + i, &code, sizeof(code));
    }
  };
  if (format == Format::kF32) settle.operator()<uint32_t>(1U << 31, 0x7F800000, 0x7FC00000);
  if (format == Format::kF16) settle.operator()<uint16_t>(0x8000, 0x7C00, 0x7E00);
  if (format == Format::kBf16) settle.operator()<uint16_t>(0x8000, 0x7F80, 0x7FC0);
  if (format == Format::kE4m3 || format == Format::kFp8Row)
    settle.operator()<uint8_t>(0x80, 0x7E, 0x7F);
  if (format == Format::kE5m2) settle.operator()<uint8_t>(0x80, 0x7C, 0x7E);
}

struct Stored {
  std::vector<uint8_t> row;
  std::vector<uint8_t> scale;
  uint64_t lost;
};

class Append : public EachIsa {
 protected:
  // One row of K through the kernel, in memory of exactly its size.
  Stored store(const Target& t, const std::vector<float>& x, float scale) const {
    const auto n = static_cast<int32_t>(x.size());
    Stored s{std::vector<uint8_t>(x.size() * static_cast<size_t>(t.bytes)), std::vector<uint8_t>(4),
             0};
    std::vector<float> copy = x;
    const int64_t slot = 0;
    AppendParams p{};
    p.format = t.format;
    p.dtype = Dtype::kF32;
    p.kv_heads = 1;
    p.dim_qk = n;
    p.block_size = 1;
    p.k = {reinterpret_cast<uint8_t*>(copy.data()), 0, 0, Dtype::kF32};
    p.k_side = {s.row.data(), 0, 0, 0, s.scale.data(), 0, 0, 0};
    p.k_scale = {&scale, 1};
    p.slots = &slot;
    s.lost = kernels().append(p, 0, 1);
    return s;
  }

  Stored define(const Target& t, std::vector<float> x, float scale) const {
    Stored s{std::vector<uint8_t>(x.size() * static_cast<size_t>(t.bytes)), std::vector<uint8_t>(4),
             0};
    for (float& value : x) value = value / scale;
    s.lost = static_cast<uint64_t>(
        t.encode(x.data(), static_cast<int32_t>(x.size()), s.row.data(), s.scale.data()));
    return s;
  }

  void expect_same(const Target& t, const std::vector<float>& x, float scale) const {
    Stored found = store(t, x, scale);
    Stored expected = define(t, x, scale);
    settle_nan(t.format, found.row);
    settle_nan(t.format, expected.row);
    ASSERT_EQ(found.row, expected.row) << "format " << static_cast<int>(t.format) << ", n "
                                       << x.size() << ", scale " << scale << ", x[0] " << x[0];
    ASSERT_EQ(found.scale, expected.scale);
    ASSERT_EQ(found.lost, expected.lost);
  }
};

TEST_P(Append, StoresWhatTheCodecsDefine) {
  const std::vector<float> all = hard_floats();
  for (const Target& t : kTargets) {
    for (const float scale : {1.0F, 0.37F, 3.0e-3F}) {
      for (const size_t n : {size_t{8}, size_t{40}, size_t{128}}) {
        for (size_t at = 0; at + n <= all.size(); at += n * 3) {
          expect_same(
              t,
              {all.begin() + static_cast<int64_t>(at), all.begin() + static_cast<int64_t>(at + n)},
              scale);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(Append, Int8RoundsHalvesAwayFromZero) {
  // absmax 127 makes the scale 1.
  std::vector<float> x = {127.0F, 0.5F, -0.5F, 1.5F, -1.5F, 2.5F, 0.49999997F, -126.5F};
  const Stored s = store(kTargets[6], x, 1.0F);
  const std::vector<int8_t> codes(reinterpret_cast<const int8_t*>(s.row.data()),
                                  reinterpret_cast<const int8_t*>(s.row.data()) + 8);
  EXPECT_EQ(codes, (std::vector<int8_t>{127, 1, -1, 2, -2, 3, 0, -127}));
}

TEST_P(Append, ConvertsBetween16BitTypes) {
  // 2^-20 is subnormal in f16; 65536 saturates; the rest is exact in both.
  const std::vector<float> values = {1.0F, -2.5F, 0x1p-20F, 65536.0F, 0.0F, -0.0F, 3.0F, 0x1p-30F};
  std::vector<uint16_t> from(8);
  std::vector<uint16_t> stored(8);
  for (size_t i = 0; i < 8; ++i) from[i] = codec::Bf16::encode(values[i]);
  const int64_t slot = 0;
  AppendParams p{};
  p.format = Format::kF16;
  p.dtype = Dtype::kBf16;
  p.kv_heads = 1;
  p.dim_qk = 8;
  p.block_size = 1;
  p.k = {reinterpret_cast<uint8_t*>(from.data()), 0, 0, Dtype::kBf16};
  p.k_side.data = reinterpret_cast<uint8_t*>(stored.data());
  p.slots = &slot;
  kernels().append(p, 0, 1);
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(stored[i], codec::F16::encode(values[i])) << i;
}

INSTANTIATE_TEST_SUITE_P(Isa, Append, ::testing::ValuesIn(available_isas()), isa_label);

}  // namespace
}  // namespace attnrt::cpu
