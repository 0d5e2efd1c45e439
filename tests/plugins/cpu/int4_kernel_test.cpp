// int4_per_token_head: rows are stored as the codec defines, and every code is read at every zero
// point.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "each_isa.hpp"
#include "kernels/codec/int4_per_token_head.h"

namespace attnrt::cpu {
namespace {

using Codec = codec::Int4PerTokenHead;
constexpr int32_t kSizes[] = {32, 64, 128, 256, 512};

struct Row {
  std::vector<uint8_t> codes;
  std::vector<uint8_t> factors = std::vector<uint8_t>(4);
  uint64_t lost = 0;

  bool operator==(const Row&) const = default;
};

class Int4 : public EachIsa {
 protected:
  Row store(std::vector<float> x) const {
    Row row{std::vector<uint8_t>(x.size() / 2)};
    const int64_t slot = 0;
    AppendParams p{};
    p.format = Format::kInt4;
    p.dtype = Dtype::kF32;
    p.kv_heads = 1;
    p.dim_qk = static_cast<int32_t>(x.size());
    p.block_size = 1;
    p.k = {reinterpret_cast<uint8_t*>(x.data()), 0, 0, Dtype::kF32};
    p.k_side = {row.codes.data(), 0, 0, 0, row.factors.data(), 0, 0, 0};
    p.slots = &slot;
    row.lost = kernels().append(p, 0, 1);
    return row;
  }
};

Row define(const std::vector<float>& x) {
  Row row{std::vector<uint8_t>(x.size() / 2)};
  row.lost = static_cast<uint64_t>(Codec::encode_row(x.data(), static_cast<int32_t>(x.size()),
                                                     row.codes.data(), row.factors.data()));
  return row;
}

template <class Draw>
std::vector<float> row_of(int32_t n, Draw draw) {
  std::vector<float> x(static_cast<size_t>(n));
  for (float& value : x) value = draw();
  return x;
}

TEST_P(Int4, StoresAnyFloatsAsTheCodecDoes) {
  std::mt19937 random(1);
  const auto bits = [&] { return codec::float_of(static_cast<uint32_t>(random())); };
  const auto special = [&] {
    const float all[] = {0.0F, -0.0F, NAN, INFINITY, -INFINITY, 1.0F, codec::kMaxFloat, 0x1p-149F};
    return all[random() % 8];
  };
  for (const int32_t n : kSizes) {
    for (int i = 0; i < 500; ++i) {
      for (const std::vector<float>& x : {row_of(n, bits), row_of(n, special)}) {
        ASSERT_EQ(store(x), define(x)) << "n " << n << ", row " << i;
      }
    }
  }
}

// Rows of which every zero point is the right one.
TEST_P(Int4, StoresRowsOfEveryZeroPointAsTheCodecDoes) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  for (const int32_t n : kSizes) {
    std::vector<bool> seen(16);
    for (int i = 0; i < 400; ++i) {
      const float size = std::ldexp(1.0F, i % 40 - 30);  // to below the least scale
      const float shift = 0.25F * static_cast<float>(i % 33 - 16);
      std::vector<float> x = row_of(n, [&] { return size * (normal(random) + shift); });
      codec::unrotate(x.data(), n);
      const Row expected = define(x);
      ASSERT_EQ(store(x), expected) << "n " << n << ", row " << i;
      seen[expected.factors[0] & 0xF] = true;
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 16) << "n " << n;
  }
}

// Some keys of one KV head in blocks of one, and a token's query heads.
struct Attention {
  int32_t dim;
  std::vector<Row> k, v;
  std::vector<std::vector<float>> q;
  float softcap = 0;
  Dtype q_dtype = Dtype::kF32;  // or kBf16, which must hold them exactly
  std::vector<float> out = {};
  std::vector<float> lse = {};

  void run(const KernelTable& kernels) {
    const auto keys = static_cast<int32_t>(k.size());
    const auto heads = static_cast<int32_t>(q.size());
    AttendParams p{};
    p.layer = {Format::kInt4, MaskKind::kCausal, heads, 1, heads, dim, dim, 1, 0, 0, 1, 1.0F,
               softcap};
    const int32_t q_start[] = {0, 1};
    std::vector<int32_t> blocks(k.size());
    for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = static_cast<int32_t>(i);
    p.batch = {q_start, &keys, blocks.data(), keys, nullptr, nullptr, nullptr};
    std::vector<uint8_t> queries = bytes_of_queries();
    const int64_t stride = int64_t{4} * dim;
    p.q = {queries.data(), 0, stride * (q_dtype == Dtype::kF32 ? 4 : 2) / 4, q_dtype};
    out.assign(q.size() * static_cast<size_t>(dim), NAN);
    p.out = {reinterpret_cast<uint8_t*>(out.data()), 0, stride, Dtype::kF32};
    lse.assign(q.size(), NAN);
    p.lse = reinterpret_cast<uint8_t*>(lse.data());
    p.lse_head_stride = 4;
    std::vector<uint8_t> k_pages = pages_of(k);
    std::vector<uint8_t> v_pages = pages_of(v);
    p.k = side_of(k_pages);
    p.v = side_of(v_pages);
    std::vector<float> scratch(static_cast<size_t>(kernels.attend_scratch(p.layer)) + 16);
    const auto at = reinterpret_cast<uintptr_t>(scratch.data());
    kernels.attend(p, {{0, 0, 1, 0, 1, 0}, 0, keys, -1, 0},
                   scratch.data() + (64 - at % 64) % 64 / 4);
  }

 private:
  std::vector<uint8_t> bytes_of_queries() const {
    std::vector<uint8_t> bytes;
    for (const std::vector<float>& row : q) {
      for (const float x : row) {
        const uint32_t bits = codec::bits_of(x);
        for (int i = q_dtype == Dtype::kF32 ? 0 : 2; i < 4; ++i) {
          bytes.push_back(static_cast<uint8_t>(bits >> (8 * i)));
        }
      }
    }
    return bytes;
  }
  static std::vector<uint8_t> pages_of(const std::vector<Row>& rows) {
    std::vector<uint8_t> bytes;
    for (const Row& row : rows) {
      bytes.insert(bytes.end(), row.codes.begin(), row.codes.end());
      bytes.insert(bytes.end(), row.factors.begin(), row.factors.end());
    }
    return bytes;
  }
  SideView side_of(std::vector<uint8_t>& pages) const {
    const int64_t row = dim / 2 + 4;
    return {pages.data(), row, row, row, pages.data() + dim / 2, row, row, row};
  }
};

// A row whose value is (code - zero) * scale, rotated. The scale's last four bits do not count.
Row row_with(int32_t n, int first_code, uint32_t zero, float scale) {
  Row row{std::vector<uint8_t>(static_cast<size_t>(n) / 2)};
  for (int32_t i = 0; i < n; ++i) {
    const int code = (first_code + i + i / 16) & 15;
    row.codes[static_cast<size_t>(i) / 2] |= static_cast<uint8_t>(code << (4 * (i & 1)));
  }
  codec::store<uint32_t>(row.factors.data(), codec::bits_of(scale) | zero);
  return row;
}

int code_of(const Row& row, int32_t i) {
  return row.codes[static_cast<size_t>(i) / 2] >> (4 * (i & 1)) & 15;
}

// The query that rotation turns into n at `place` and 0 elsewhere.
std::vector<float> query_for(int32_t n, int32_t place) {
  std::vector<float> q(static_cast<size_t>(n));
  q[static_cast<size_t>(place)] = static_cast<float>(n);
  codec::unrotate(q.data(), n);
  return q;
}

constexpr Dtype kQueryDtypes[] = {Dtype::kF32, Dtype::kBf16};

// Over one key lse is the score and out is V. All numbers here are exact in f32; few rows of bf16
// may become whole numbers with a scale.
void expect_every_code(const KernelTable& kernels, int32_t n, int32_t heads, Dtype dtype) {
  const float tolerance = dtype == Dtype::kF32 ? 0.0F : 1e-6F;
  for (uint32_t zero = 0; zero < 16; ++zero) {
    const int32_t first = static_cast<int32_t>(zero) * n / 16 % (n - heads + 1);
    Attention a{n, {row_with(n, 3, zero, 0.5F)}, {row_with(n, 8, 15 - zero, 4.0F)}, {}};
    a.q_dtype = dtype;
    for (int32_t h = 0; h < heads; ++h) a.q.push_back(query_for(n, first + h));
    a.run(kernels);
    std::vector<float> value(static_cast<size_t>(n));
    Codec::decode_row(a.v[0].codes.data(), a.v[0].factors.data(), n, value.data());
    float longest = 0.0F;
    for (const float x : value) longest = std::max(longest, std::abs(x));
    for (int32_t h = 0; h < heads; ++h) {
      const int code = code_of(a.k[0], first + h) - static_cast<int>(zero);
      ASSERT_NEAR(a.lse[static_cast<size_t>(h)], 0.5F * static_cast<float>(code), 8 * tolerance);
      for (int32_t i = 0; i < n; ++i) {
        ASSERT_NEAR(a.out[static_cast<size_t>(h * n + i)], value[static_cast<size_t>(i)],
                    longest * tolerance)
            << "n " << n << ", zero " << zero << ", element " << i;
      }
    }
  }
}
TEST_P(Int4, ReadsEveryCodeAtEveryZeroPoint) {
  for (const int32_t n : kSizes) {
    for (const int32_t heads : {1, 4, 7, 32}) {  // few rows and many
      for (const Dtype dtype : kQueryDtypes) expect_every_code(kernels(), n, heads, dtype);
    }
  }
}

// What is not finite, or too small to be multiplied up, is met as f32 meets it: one key's scale
// among eleven, in K or in V, seen or of no weight. How exact both are the conformance suite
// judges; a wrong way here errs by the size of a value.
TEST_P(Int4, MeetsScalesOfAnyKind) {
  constexpr int32_t kN = 64;
  constexpr int kKeys = 11;
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<Row> k;
  std::vector<Row> v;
  for (int i = 0; i < kKeys; ++i) {
    k.push_back(define(row_of(kN, [&] { return normal(random); })));
    v.push_back(define(row_of(kN, [&] { return normal(random); })));
  }
  std::vector<float> q = row_of(kN, [&] { return static_cast<float>(random() % 17) / 8 - 1; });
  for (const float scale : {NAN, INFINITY, -INFINITY, 0.0F, 0x1p-130F, 1e-36F, 1e-20F, 1e20F}) {
    for (const int side : {0, 1}) {
      for (const float size : {1.0F, 32.0F}) {  // of queries: the second's weights differ widely
        std::vector<float> x = q;
        for (float& element : x) element *= size;
        Attention f32{kN, k, v, std::vector<std::vector<float>>(4, x)};
        Row& changed = (side == 0 ? f32.k : f32.v)[3];
        codec::store<uint32_t>(changed.factors.data(), (codec::bits_of(scale) & ~0xFU) | 7);
        Attention bf16 = f32;
        bf16.q_dtype = Dtype::kBf16;
        f32.run(kernels());
        bf16.run(kernels());
        float longest = 0.0F;
        for (const float o : f32.out) longest = std::max(longest, std::abs(o));
        for (size_t i = 0; i < f32.out.size(); ++i) {
          const float expected = f32.out[i];
          const float found = bf16.out[i];
          ASSERT_TRUE(std::isnan(expected) ? std::isnan(found)
                                           : std::abs(found - expected) <= longest / 16)
              << "scale " << scale << ", side " << side << ", size " << size << ", element " << i
              << ": " << found << ", in f32 " << expected;
        }
      }
    }
  }
}

// Two keys of which an infinite query sees one with each sign.
TEST_P(Int4, AnInfiniteQueryMeetsUnrotatedKeys) {
  constexpr int32_t kN = 64;
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (const int heads : {1, 20}) {
    for (const float infinity : {INFINITY, -INFINITY}) {
      std::vector<Row> rows;
      for (const float x : {4.0F, -4.0F}) {
        std::vector<float> key = row_of(kN, [&] { return normal(random); });
        key[5] = x;
        rows.push_back(define(key));
      }
      std::vector<float> q(kN, 1.0F);
      q[5] = infinity;
      const std::vector<std::vector<float>> queries(size_t(heads), q);
      for (const Dtype dtype : kQueryDtypes) {
        Attention capped{kN, rows, rows, queries, 2.0F, dtype};
        capped.run(kernels());
        for (const float lse : capped.lse) {
          EXPECT_NEAR(lse, std::log(std::exp(2.0) + std::exp(-2.0)), 1e-5);
        }
        // Alone with the key of the other sign there is nothing to attend to.
        const Row& other = rows[infinity > 0 ? 1 : 0];
        Attention none{kN, {other}, {other}, queries, 0.0F, dtype};
        none.run(kernels());
        EXPECT_EQ(none.lse, std::vector<float>(size_t(heads), -INFINITY));
        EXPECT_EQ(none.out, std::vector<float>(size_t(heads) * kN, 0.0F));
      }
    }
  }
}

// An appended infinity is stored as the largest float over 2 n, and must not overflow later.
TEST_P(Int4, RowsOfInfinitiesStayFinite) {
  constexpr int32_t kN = 128;
  std::vector<float> key(kN, 1.0F);
  key[9] = INFINITY;
  const Row row = define(key);
  Attention a{kN, {row, row}, {row, row}, {std::vector<float>(kN, 0x1p-20F)}};
  a.run(kernels());
  std::vector<double> value(kN);
  Codec::decode_row(row.codes.data(), row.factors.data(), kN, value.data());
  double score = 0;
  for (const double x : value) score += x * 0x1p-20;
  EXPECT_NEAR(a.lse[0], score, 1e-5 * std::abs(score));
  for (int32_t i = 0; i < kN; ++i) {
    EXPECT_NEAR(a.out[static_cast<size_t>(i)], value[static_cast<size_t>(i)], 1e-6 * value[9]) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, Int4, ::testing::ValuesIn(available_isas()), isa_label);

}  // namespace
}  // namespace attnrt::cpu
