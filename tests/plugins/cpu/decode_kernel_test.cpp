// Stored codes are read as the codecs define them: all of them, at every place of a vector.
#include <cmath>
#include <cstring>

#include "each_isa.hpp"
#include "kernels/codec/bf16.h"
#include "kernels/codec/f16.h"
#include "kernels/codec/fp8_e4m3.h"
#include "kernels/codec/fp8_e4m3fnuz.h"
#include "kernels/codec/fp8_e5m2.h"

namespace attnrt::cpu {
namespace {

class Decode : public EachIsa {
 protected:
  // Codes in rows of n values, each of them exactly as long as memory is, so that a sanitizer sees
  // a read beyond it.
  template <class Code>
  std::vector<float> decode(Format format, const std::vector<Code>& codes, int32_t n) const {
    std::vector<float> values;
    for (size_t at = 0; at + static_cast<size_t>(n) <= codes.size(); at += static_cast<size_t>(n)) {
      std::vector<uint8_t> row(static_cast<size_t>(n) * sizeof(Code));
      std::memcpy(row.data(), codes.data() + at, row.size());
      std::vector<float> out(static_cast<size_t>(n));
      kernels().decode_row(format, row.data(), n, out.data());
      values.insert(values.end(), out.begin(), out.end());
    }
    return values;
  }
};

template <class Code>
std::vector<Code> all_codes() {
  std::vector<Code> codes(size_t{1} << (8 * sizeof(Code)));
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<Code>(i);
  return codes;
}

template <class Code, class Codec>
void expect_as(const std::vector<Code>& codes, const std::vector<float>& values, Codec decode) {
  for (size_t i = 0; i < values.size(); ++i) {
    const float exact = decode(codes[i]);
    if (std::isnan(exact)) {
      EXPECT_TRUE(std::isnan(values[i])) << "code " << +codes[i];
    } else {
      EXPECT_EQ(values[i], exact) << "code " << +codes[i];
      EXPECT_EQ(std::signbit(values[i]), std::signbit(exact)) << "code " << +codes[i];
    }
  }
}

// 8 and 40 leave tails on wide vectors; rotations bring each code to every place.
constexpr int32_t kWidths[] = {8, 32, 40, 64, 256};

TEST_P(Decode, AllCodesOfFp8) {
  for (const int32_t n : kWidths) {
    for (size_t turn = 0; turn < 64; ++turn) {
      std::vector<uint8_t> codes = all_codes<uint8_t>();
      std::rotate(codes.begin(), codes.begin() + static_cast<int64_t>(turn), codes.end());
      expect_as(codes, decode(Format::kE4m3, codes, n), codec::Fp8E4M3::decode);
      expect_as(codes, decode(Format::kFp8Row, codes, n), codec::Fp8E4M3::decode);
      expect_as(codes, decode(Format::kE5m2, codes, n), codec::Fp8E5M2::decode);
      expect_as(codes, decode(Format::kE4m3Fnuz, codes, n), codec::Fp8E4M3Fnuz::decode);
    }
  }
}

TEST_P(Decode, AllCodesOfInt8) {
  const std::vector<uint8_t> codes = all_codes<uint8_t>();
  for (const int32_t n : kWidths) {
    expect_as(codes, decode(Format::kInt8, codes, n),
              [](uint8_t code) { return static_cast<float>(static_cast<int8_t>(code)); });
  }
}

TEST_P(Decode, AllCodesOf16Bits) {
  const std::vector<uint16_t> codes = all_codes<uint16_t>();
  for (const int32_t n : {40, 256}) {
    expect_as(codes, decode(Format::kF16, codes, n), codec::F16::decode);
    expect_as(codes, decode(Format::kBf16, codes, n), codec::Bf16::decode);
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, Decode, ::testing::ValuesIn(available_isas()), isa_label);

}  // namespace
}  // namespace attnrt::cpu
