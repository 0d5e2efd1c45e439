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

const char* kernel_of(Format format) {
  if (format == Format::kNvfp4Linear) return "attend_nvfp4";
  return format == Format::kNvfp4Swizzled ? "attend_nvfp4_swizzled" : "attend";
}

// One sequence, K all zeros (so weights are equal), V all ones but for one key. q is f32 where the
// cache is, else bf16, which goes over the matrix unit where there is one.
class Poisoned {
 public:
  Poisoned(Format format, int32_t q_len, int32_t keys, int32_t group)
      : format_(format),
        dtype_(format == Format::kF32 ? ATTNRT_DTYPE_F32 : ATTNRT_DTYPE_BF16),
        q_len_(q_len),
        group_(group),
        batch_({{q_len, keys}}, 16),
        k_(dtype_, {keys, 1, kDim}),
        v_(dtype_, {keys, 1, kDim}),
        q_(dtype_, {q_len, group, kDim}),
        cache_(spec(format, batch_)) {
    v_.fill(1.0);
  }
  void poison_value(int32_t key, double x) { v_.set(key, 0, 5, x); }
  void poison_key(int32_t key, double x) { k_.set(key, 0, 5, x); }
  void fill_queries(double x) { q_.fill(x); }
  // The first block of a key's value, of nvfp4, whose appends store no NaN.
  void poison_value_block(int32_t key) { block_of_ = key; }

  DenseTensor run(const std::string& isa) {
    DriverOptions options;
    options.options = {{"isa", isa}};
    PluginDriver driver(kCpuPlugin, options);
    const std::string cache_format(name(format_));
    attnrt_layer_class layer =
        make_layer_class(ATTNRT_OP_APPEND, cache_format.c_str(), group_, 1, kDim, kDim);
    layer.q_dtype = dtype_;
    layer.out_dtype = ATTNRT_DTYPE_F32;
    const OpHandle append = driver.prepare(kernel_of(format_), layer);
    const std::vector<int64_t> slots = batch_.key_slots();
    AppendCall stored;
    stored.k = k_.view();
    stored.v = v_.view();
    stored.cache = cache_.view();
    stored.slots = slots;
    driver.append(*append, stored);
    if (block_of_ >= 0) spoil_scale(slots[static_cast<size_t>(block_of_)]);
    layer.op = ATTNRT_OP_MIXED;
    const OpHandle attend = driver.prepare(kernel_of(format_), layer);
    DenseTensor out(ATTNRT_DTYPE_F32, {q_len_, group_, kDim});
    AttendCall call;
    call.q = q_.view();
    call.out = out.view();
    call.cache = cache_.view();
    driver.attend(*attend, batch_.view(), batch_.bounds(), call);
    return out;
  }

 private:
  static CacheSpec spec(Format format, const TestBatch& batch) {
    CacheSpec s;
    s.format = format;
    s.head_dim = {kDim, kDim};
    s.blocks = batch.blocks();
    return s;
  }
  void spoil_scale(int64_t slot) {
    const attnrt_cache_side v = cache_.view().v;
    const int64_t size = cache_.view().block_size;
    const int64_t token = slot % size;
    // nvfp4_swizzled: four tokens' scales of a block stand side by side, here where the first's
    // would stand.
    const int64_t at = format_ == Format::kNvfp4Swizzled
                           ? token / 4 * 4 * v.scale_token_stride + token % 4
                           : token * v.scale_token_stride;
    static_cast<uint8_t*>(v.scales)[slot / size * v.scale_block_stride + at] = 0x7F;
  }
  Format format_;
  int32_t dtype_, q_len_, group_;
  int32_t block_of_ = -1;
  TestBatch batch_;
  DenseTensor k_, v_, q_;
  PagedCache cache_;
};

class SpecialValues : public ::testing::TestWithParam<std::string> {};

constexpr Format kTypes[] = {Format::kF32, Format::kBf16};

TEST_P(SpecialValues, AMaskedValueDoesNotLeak) {
  // Few rows read pages directly, many go through a packed tile.
  for (const Format format : kTypes)
    for (const int32_t group : {1, 16}) {
      for (const double x : {std::nan(""), double{kInfinity}, -double{kInfinity}}) {
        Poisoned p(format, 6, 70, group);
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

TEST_P(SpecialValues, AMaskedBlockOfNanDoesNotLeak) {
  for (const Format format : {Format::kNvfp4Linear, Format::kNvfp4Swizzled})
    for (const int32_t group : {1, 16}) {
      Poisoned p(format, 6, 70, group);
      const DenseTensor clean = p.run(GetParam());
      p.poison_value_block(67);  // seen by queries 3, 4, 5 alone
      const DenseTensor out = p.run(GetParam());
      for (int32_t i = 0; i < 6; ++i) {
        for (int32_t d = 0; d < kDim; ++d) {
          SCOPED_TRACE(::testing::Message() << name(format) << ", group " << group << ", query "
                                            << i << ", element " << d);
          if (i >= 3 && d < 16) {
            EXPECT_TRUE(std::isnan(out.get(i, 0, d)));
          } else {
            EXPECT_NEAR(out.get(i, 0, d), clean.get(i, 0, d), 1e-2);
          }
        }
      }
    }
}

TEST_P(SpecialValues, AnInfiniteValueIsTheResultOfWhoeverSeesIt) {
  for (const Format format : kTypes) {
    Poisoned p(format, 6, 70, 1);
    p.poison_value(3, kInfinity);
    const DenseTensor out = p.run(GetParam());
    for (int32_t i = 0; i < 6; ++i) EXPECT_EQ(out.get(i, 0, 5), kInfinity) << "query " << i;
  }
}

TEST_P(SpecialValues, ANanKeyMakesTheRowsNanThatSeeIt) {
  for (const Format format : kTypes)
    for (const int32_t group : {1, 16}) {
      Poisoned p(format, 6, 70, group);
      p.poison_key(67, std::nan(""));
      const DenseTensor out = p.run(GetParam());
      for (int32_t i = 0; i < 6; ++i) {
        EXPECT_EQ(std::isnan(out.get(i, 0, 0)), i >= 3) << "query " << i << ", group " << group;
      }
    }
}

TEST_P(SpecialValues, AScoreOfMinusInfinityIsWeightZero) {
  for (const Format format : kTypes)
    for (const int32_t group : {1, 16}) {
      Poisoned p(format, 6, 70, group);
      p.fill_queries(1.0);
      p.poison_key(10, -double{kInfinity});
      p.poison_value(10, std::nan(""));
      const DenseTensor out = p.run(GetParam());
      for (int32_t i = 0; i < 6; ++i) EXPECT_NEAR(out.get(i, 0, 5), 1.0, 1e-5) << "query " << i;
    }
}

TEST_P(SpecialValues, ANanValueCountsThoughItsWeightVanishes) {
  for (const Format format : kTypes) {
    for (const int32_t group : {1, 16}) {
      Poisoned p(format, 6, 70, group);
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
  for (const Format format : kTypes) {
    Poisoned p(format, 6, 70, 1);
    p.fill_queries(std::nan(""));
    EXPECT_TRUE(std::isnan(p.run(GetParam()).get(0, 0, 0)));
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, SpecialValues, ::testing::ValuesIn(cpu::available_isas()),
                         cpu::isa_label);

}  // namespace
}  // namespace attnrt::testing
