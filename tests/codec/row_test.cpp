// Rows of every format against bytes and values that an independent numpy writer recorded.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <ostream>

#include "kernels/codec/fp8_ds_mla_v32.h"
#include "kernels/codec/fp8_ds_mla_v4.h"
#include "kernels/codec/fp8_ds_mla_v41.h"
#include "kernels/codec/fp8_per_token_head.h"
#include "kernels/codec/int4_per_token_head.h"
#include "kernels/codec/int4_per_token_head_zp.h"
#include "kernels/codec/int8_per_token_head.h"
#include "kernels/codec/nvfp4.h"
#include "kernels/codec/nvfp4_4over6.h"
#include "kernels/codec/nvfp4_ds_mla.h"
#include "tests/support/tensor_file.hpp"

namespace attnrt::codec {
namespace {

using testing::TensorFile;

struct RowCase {
  const char* name;
  int64_t scales_at;  // in the row; -1: apart
  int64_t (*data_bytes)(int32_t);
  int64_t (*scale_bytes)(int32_t);
  int32_t (*encode)(const float*, int32_t, uint8_t*, uint8_t*);
  void (*decode)(const uint8_t*, const uint8_t*, int32_t, double*);
  void (*decode_float)(const uint8_t*, const uint8_t*, int32_t, float*);
};

void PrintTo(const RowCase& c, std::ostream* out) {
  *out << c.name;
}

template <class Codec>
RowCase row_case(const char* name, int64_t scales_at = -1) {
  return {name,
          scales_at,
          [](int32_t n) { return Codec::data_bytes(n); },
          [](int32_t n) { return Codec::scale_bytes(n); },
          [](const float* x, int32_t n, uint8_t* row, uint8_t* scales) {
            return Codec::encode_row(x, n, row, scales);
          },
          [](const uint8_t* row, const uint8_t* scales, int32_t n, double* out) {
            Codec::decode_row(row, scales, n, out);
          },
          [](const uint8_t* row, const uint8_t* scales, int32_t n, float* out) {
            Codec::decode_row(row, scales, n, out);
          }};
}

class Rows : public ::testing::TestWithParam<RowCase> {
 protected:
  Rows() : file_(ATTNRT_SOURCE_DIR "/tests/data/codec/rows.safetensors") {
    const std::string name = GetParam().name;
    inputs_ = file_.get<float>(name + ".inputs");
    data_ = file_.get<uint8_t>(name + ".data");
    scales_ = file_.get<uint8_t>(name + ".scales");
    values_ = file_.get<double>(name + ".values");
    lost_ = file_.get<int64_t>(name + ".lost");
    rows_ = lost_.size();
    n_ = static_cast<int32_t>(inputs_.size() / rows_);
    row_bytes_ = data_.size() / rows_;
    scale_bytes_ = scales_.size() / rows_;
  }

  // Buffers of exactly a row, so that a sanitizer sees every overrun.
  struct Stored {
    std::vector<uint8_t> row;
    std::vector<uint8_t> scales;
    int32_t lost = 0;
  };
  Stored store(size_t r) const {
    const RowCase& c = GetParam();
    // No byte may be left as it was.
    Stored s{std::vector<uint8_t>(row_bytes_, 0xEE), std::vector<uint8_t>(scale_bytes_, 0xEE)};
    uint8_t* scales = c.scales_at < 0 ? s.scales.data() : s.row.data() + c.scales_at;
    s.lost = c.encode(inputs_.data() + r * static_cast<size_t>(n_), n_, s.row.data(), scales);
    if (c.scales_at >= 0) std::memcpy(s.scales.data(), scales, scale_bytes_);
    return s;
  }

  TensorFile file_;
  std::vector<float> inputs_;
  std::vector<uint8_t> data_, scales_;
  std::vector<double> values_;
  std::vector<int64_t> lost_;
  size_t rows_ = 0, row_bytes_ = 0, scale_bytes_ = 0;
  int32_t n_ = 0;
};

TEST_P(Rows, HaveTheBytesThatTheTableOfFormatsSays) {
  const RowCase& c = GetParam();
  const int64_t in_line = c.scales_at < 0 ? 0 : c.scale_bytes(n_);
  EXPECT_EQ(c.data_bytes(n_) + in_line, static_cast<int64_t>(row_bytes_));
  EXPECT_EQ(c.scale_bytes(n_), static_cast<int64_t>(scale_bytes_));
}

TEST_P(Rows, AreStoredAsRecorded) {
  for (size_t r = 0; r < rows_; ++r) {
    const Stored s = store(r);
    for (size_t i = 0; i < scale_bytes_; ++i) {
      ASSERT_EQ(s.scales[i], scales_[r * scale_bytes_ + i]) << "row " << r << ", scale byte " << i;
    }
    for (size_t i = 0; i < row_bytes_; ++i) {
      const uint8_t recorded = data_[r * row_bytes_ + i];
      ASSERT_EQ(s.row[i], recorded) << "row " << r << ", byte " << i;
    }
    EXPECT_EQ(s.lost, lost_[r]) << "row " << r;
  }
}

TEST_P(Rows, AreReadAsRecorded) {
  const RowCase& c = GetParam();
  std::vector<double> read(static_cast<size_t>(n_));
  std::vector<float> rounded(static_cast<size_t>(n_));
  for (size_t r = 0; r < rows_; ++r) {
    const uint8_t* row = data_.data() + r * row_bytes_;
    const uint8_t* scales = c.scales_at < 0 ? scales_.data() + r * scale_bytes_ : row + c.scales_at;
    c.decode(row, scales, n_, read.data());
    c.decode_float(row, scales, n_, rounded.data());
    double largest = 0;
    for (const double x : read) largest = std::isnan(x) ? largest : std::max(largest, std::abs(x));
    for (size_t i = 0; i < read.size(); ++i) {
      const double recorded = values_[r * read.size() + i];
      if (std::isnan(recorded)) {
        EXPECT_TRUE(std::isnan(read[i]) && std::isnan(rounded[i]));
        continue;
      }
      if (std::isinf(recorded)) {
        EXPECT_EQ(read[i], recorded);
        EXPECT_EQ(rounded[i], recorded);
        continue;
      }
      // Exact but for the sums of a rotation, which round in another order.
      const bool rotated = std::strncmp(c.name, "int4", 4) == 0;
      ASSERT_NEAR(read[i], recorded, rotated ? 1e-14 * largest : 0.0) << "row " << r << ", " << i;
      if (largest < 1e30) {
        ASSERT_NEAR(rounded[i], recorded, 1e-6 * largest) << "row " << r << ", " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Rows,
                         ::testing::Values(row_case<Int8PerTokenHead>("int8_per_token_head"),
                                           row_case<Fp8PerTokenHead>("fp8_per_token_head"),
                                           row_case<Int4PerTokenHead>("int4_per_token_head"),
                                           row_case<Int4PerTokenHeadZp>("int4_per_token_head_zp"),
                                           row_case<Nvfp4Linear>("nvfp4_linear"),
                                           row_case<Nvfp44Over6>("nvfp4_4over6"),
                                           row_case<Fp8DsMlaV32>("fp8_ds_mla_v32", 512),
                                           row_case<Fp8DsMlaV4>("fp8_ds_mla_v4"),
                                           row_case<Fp8DsMlaV41>("fp8_ds_mla_v41"),
                                           row_case<Nvfp4DsMla>("nvfp4_ds_mla", 320)),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

TEST(RowSizes, AreThoseThatAFormatCanHave) {
  EXPECT_TRUE(Nvfp4Linear::accepts(16) && !Nvfp4Linear::accepts(24));
  EXPECT_TRUE(Nvfp4Swizzled::accepts(64) && !Nvfp4Swizzled::accepts(80));
  EXPECT_TRUE(Int4PerTokenHead::accepts(128) && !Int4PerTokenHead::accepts(96));
  EXPECT_TRUE(Fp8DsMlaV32::accepts(576) && !Fp8DsMlaV32::accepts(512));
  EXPECT_TRUE(Fp8DsMlaV4::accepts(512) && !Fp8DsMlaV41::accepts(576));
}

}  // namespace
}  // namespace attnrt::codec
