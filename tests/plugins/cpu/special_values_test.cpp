// NaN and infinities: they reach the rows that see them and no others.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/plugins/cpu/each_isa.hpp"
#include "tests/support/dense_tensor.hpp"
#include "tests/support/paged_cache.hpp"
#include "tests/support/plugin_driver.hpp"
#include "tests/support/test_batch.hpp"

namespace attnrt::testing {
namespace {

constexpr int32_t kDim = 64;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// One sequence, K all zeros (so weights are equal), V all ones but for one key.
class Poisoned {
 public:
  Poisoned(int32_t q_len, int32_t keys, int32_t group)
      : q_len_(q_len),
        group_(group),
        batch_({{q_len, keys}}, 16),
        k_(shape(1, keys)),
        v_(shape(1, keys)),
        q_(shape(group, q_len)),
        cache_(spec(batch_)) {
    v_.fill(1.0);
  }
  void poison_value(int32_t key, double x) { v_.set(key, 0, 5, x); }
  void poison_key(int32_t key, double x) { k_.set(key, 0, 5, x); }
  void fill_queries(double x) { q_.fill(x); }

  DenseTensor run(const std::string& isa) {
    DriverOptions options;
    options.options = {{"isa", isa}};
    PluginDriver driver(ATTNRT_BINARY_DIR "/plugins/cpu.so", options);
    attnrt_layer_class layer = make_layer_class(ATTNRT_OP_APPEND, "f32", group_, 1, kDim, kDim);
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
    DenseTensor out(shape(group_, q_len_));
    AttendCall call;
    call.q = q_.view();
    call.out = out.view();
    call.cache = cache_.view();
    driver.attend(*attend, batch_.view(), batch_.bounds(), call);
    return out;
  }

 private:
  static DenseTensor shape(int64_t heads, int64_t tokens) {
    return {ATTNRT_DTYPE_F32, {tokens, heads, kDim}};
  }
  static CacheSpec spec(const TestBatch& batch) {
    CacheSpec s;
    s.format = Format::kF32;
    s.head_dim = {kDim, kDim};
    s.blocks = batch.blocks();
    return s;
  }
  int32_t q_len_, group_;
  TestBatch batch_;
  DenseTensor k_, v_, q_;
  PagedCache cache_;
};

class SpecialValues : public ::testing::TestWithParam<std::string> {};

TEST_P(SpecialValues, AMaskedValueDoesNotLeak) {
  // Few rows read pages directly, many go through a packed tile.
  for (const int32_t group : {1, 16}) {
    for (const double x : {std::nan(""), double{kInfinity}, -double{kInfinity}}) {
      Poisoned p(6, 70, group);
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

TEST_P(SpecialValues, ANanKeyMakesTheRowsNanThatSeeIt) {
  for (const int32_t group : {1, 16}) {
    Poisoned p(6, 70, group);
    p.poison_key(67, std::nan(""));
    const DenseTensor out = p.run(GetParam());
    for (int32_t i = 0; i < 6; ++i) {
      EXPECT_EQ(std::isnan(out.get(i, 0, 0)), i >= 3) << "query " << i << ", group " << group;
    }
  }
}

TEST_P(SpecialValues, AScoreOfMinusInfinityIsWeightZero) {
  for (const int32_t group : {1, 16}) {
    Poisoned p(6, 70, group);
    p.fill_queries(1.0);
    p.poison_key(10, -double{kInfinity});
    p.poison_value(10, std::nan(""));
    const DenseTensor out = p.run(GetParam());
    for (int32_t i = 0; i < 6; ++i) EXPECT_NEAR(out.get(i, 0, 5), 1.0, 1e-5) << "query " << i;
  }
}

TEST_P(SpecialValues, ANanQueryIsItsOwnAffair) {
  Poisoned p(6, 70, 1);
  p.fill_queries(std::nan(""));
  EXPECT_TRUE(std::isnan(p.run(GetParam()).get(0, 0, 0)));
}

INSTANTIATE_TEST_SUITE_P(Isa, SpecialValues, ::testing::ValuesIn(cpu::available_isas()),
                         cpu::isa_label);

}  // namespace
}  // namespace attnrt::testing
