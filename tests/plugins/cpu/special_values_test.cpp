// NaN and infinities: they reach the rows that see them and no others.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/plugins/cpu/cpu_fixture.hpp"
#include "tests/plugins/cpu/each_isa.hpp"
#include "tests/support/dense_tensor.hpp"
#include "tests/support/paged_cache.hpp"
#include "tests/support/plugin_driver.hpp"
#include "tests/support/test_batch.hpp"

namespace attnrt::testing {
namespace {

constexpr int32_t kDim = 64;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// One sequence, K all zeros (so weights are equal), V all ones but for one key. Cache and q are of
// one type: bf16 goes over the matrix unit where there is one.
class Poisoned {
 public:
  Poisoned(bool bf16, int32_t q_len, int32_t keys, int32_t group)
      : dtype_(bf16 ? ATTNRT_DTYPE_BF16 : ATTNRT_DTYPE_F32),
        q_len_(q_len),
        group_(group),
        batch_({{q_len, keys}}, 16),
        k_(dtype_, {keys, 1, kDim}),
        v_(dtype_, {keys, 1, kDim}),
        q_(dtype_, {q_len, group, kDim}),
        cache_(spec(bf16, batch_)) {
    v_.fill(1.0);
  }
  void poison_value(int32_t key, double x) { v_.set(key, 0, 5, x); }
  void poison_key(int32_t key, double x) { k_.set(key, 0, 5, x); }
  void fill_queries(double x) { q_.fill(x); }

  DenseTensor run(const std::string& isa) {
    DriverOptions options;
    options.options = {{"isa", isa}};
    PluginDriver driver(kCpuPlugin, options);
    attnrt_layer_class layer = make_layer_class(
        ATTNRT_OP_APPEND, dtype_ == ATTNRT_DTYPE_F32 ? "f32" : "bf16", group_, 1, kDim, kDim);
    layer.q_dtype = dtype_;
    layer.out_dtype = ATTNRT_DTYPE_F32;
    const OpHandle append = driver.prepare("attend", layer);
    const std::vector<int64_t> slots = batch_.key_slots();
    AppendCall stored;
    stored.k = k_.view();
    stored.v = v_.view();
    stored.cache = cache_.view();
    stored.slots = slots;
    driver.append(*append, stored);
    layer.op = ATTNRT_OP_MIXED;
    const OpHandle attend = driver.prepare("attend", layer);
    DenseTensor out(ATTNRT_DTYPE_F32, {q_len_, group_, kDim});
    AttendCall call;
    call.q = q_.view();
    call.out = out.view();
    call.cache = cache_.view();
    driver.attend(*attend, batch_.view(), batch_.bounds(), call);
    return out;
  }

 private:
  static CacheSpec spec(bool bf16, const TestBatch& batch) {
    CacheSpec s;
    s.format = bf16 ? Format::kBf16 : Format::kF32;
    s.head_dim = {kDim, kDim};
    s.blocks = batch.blocks();
    return s;
  }
  int32_t dtype_, q_len_, group_;
  TestBatch batch_;
  DenseTensor k_, v_, q_;
  PagedCache cache_;
};

class SpecialValues : public ::testing::TestWithParam<std::string> {};

constexpr bool kTypes[] = {false, true};  // bf16?

TEST_P(SpecialValues, AMaskedValueDoesNotLeak) {
  // Few rows read pages directly, many go through a packed tile.
  for (const bool bf16 : kTypes)
    for (const int32_t group : {1, 16}) {
      for (const double x : {std::nan(""), double{kInfinity}, -double{kInfinity}}) {
        Poisoned p(bf16, 6, 70, group);
        p.poison_value(67, x);  // seen by queries 3, 4, 5 alone
        const DenseTensor out = p.run(GetParam());
        for (int32_t i = 0; i < 6; ++i) {
          EXPECT_NEAR(out.get(i, 0, 6), 1.0, 1e-5);
          if (i < 3) {
            EXPECT_NEAR(out.get(i, 0, 5), 1.0, 1e-5) << "query " << i << ", group " << group;
          } else {
            EXPECT_FALSE(std::isfinite(out.get(i, 0, 5))) << "query " << i << ", group " << group;
          }
        }
      }
    }
}

TEST_P(SpecialValues, AnInfiniteValueIsTheResultOfWhoeverSeesIt) {
  for (const bool bf16 : kTypes) {
    Poisoned p(bf16, 6, 70, 1);
    p.poison_value(3, kInfinity);
    const DenseTensor out = p.run(GetParam());
    for (int32_t i = 0; i < 6; ++i) EXPECT_EQ(out.get(i, 0, 5), kInfinity) << "query " << i;
  }
}

TEST_P(SpecialValues, ANanKeyMakesTheRowsNanThatSeeIt) {
  for (const bool bf16 : kTypes)
    for (const int32_t group : {1, 16}) {
      Poisoned p(bf16, 6, 70, group);
      p.poison_key(67, std::nan(""));
      const DenseTensor out = p.run(GetParam());
      for (int32_t i = 0; i < 6; ++i) {
        EXPECT_EQ(std::isnan(out.get(i, 0, 0)), i >= 3) << "query " << i << ", group " << group;
      }
    }
}

TEST_P(SpecialValues, AScoreOfMinusInfinityIsWeightZero) {
  for (const bool bf16 : kTypes)
    for (const int32_t group : {1, 16}) {
      Poisoned p(bf16, 6, 70, group);
      p.fill_queries(1.0);
      p.poison_key(10, -double{kInfinity});
      p.poison_value(10, std::nan(""));
      const DenseTensor out = p.run(GetParam());
      for (int32_t i = 0; i < 6; ++i) EXPECT_NEAR(out.get(i, 0, 5), 1.0, 1e-5) << "query " << i;
    }
}

TEST_P(SpecialValues, ANanValueCountsThoughItsWeightVanishes) {
  for (const bool bf16 : kTypes) {
    for (const int32_t group : {1, 16}) {
      Poisoned p(bf16, 6, 70, group);
      p.fill_queries(1.0);
      p.poison_key(67, -2000.0);  // exp(-250) is 0 in f32
      p.poison_value(67, std::nan(""));
      const DenseTensor out = p.run(GetParam());
      for (int32_t i = 0; i < 6; ++i) {
        EXPECT_EQ(std::isnan(out.get(i, 0, 5)), i >= 3) << "query " << i << ", group " << group;
      }
    }
  }
}

TEST_P(SpecialValues, ANanQueryIsItsOwnAffair) {
  for (const bool bf16 : kTypes) {
    Poisoned p(bf16, 6, 70, 1);
    p.fill_queries(std::nan(""));
    EXPECT_TRUE(std::isnan(p.run(GetParam()).get(0, 0, 0)));
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, SpecialValues, ::testing::ValuesIn(cpu::available_isas()),
                         cpu::isa_label);

}  // namespace
}  // namespace attnrt::testing
