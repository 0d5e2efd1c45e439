// What holds beside the numbers: batch invariance, freed blocks, poisoned memory, NaN inputs.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/plugins/reference/attention_fixture.hpp"

namespace attnrt::testing {
namespace {

// One sequence of a case by itself.
RecordedCase alone(const RecordedCase& c, size_t n) {
  RecordedCase one = c;
  int64_t token = 0;
  int64_t key = 0;
  for (size_t i = 0; i < n; ++i) {
    token += c.lengths[i].q;
    key += c.lengths[i].kv;
  }
  const auto part = [](const auto& from, int64_t first, int64_t count, int64_t width) {
    const auto begin = from.begin() + first * width;
    return std::decay_t<decltype(from)>(begin, begin + count * width);
  };
  const SequenceLengths l = c.lengths[n];
  one.lengths = {l};
  one.q = part(c.q, token, l.q, int64_t{c.q_heads} * c.qk);
  one.k = part(c.k, key, l.kv, int64_t{c.kv_heads} * c.qk);
  one.v_rows = part(c.v_rows, key, l.kv, int64_t{c.kv_heads} * c.v);
  return one;
}

TEST(BatchInvariance, GivesASequenceTheSameBitsAloneAndAmongOthers) {
  PluginDriver driver(kReferencePlugin);
  const RecordedCase& c = recorded_case("everything");
  const std::vector<double> together = run(driver, c, {}).out;
  size_t first = 0;
  for (size_t n = 0; n < c.lengths.size(); ++n) {
    const std::vector<double> own = run(driver, alone(c, n), {}).out;
    for (size_t i = 0; i < own.size(); ++i) EXPECT_EQ(own[i], together[first + i]);
    first += own.size();
  }
  EXPECT_EQ(first, together.size());
}

struct Attend {
  Attend(PluginDriver& driver, const RecordedCase& recorded, const Variant& variant)
      : c(recorded),
        batch(c.lengths, variant.block_size),
        cache(filled_cache(driver, c, variant, batch)),
        q(ATTNRT_DTYPE_F32, {batch.tokens(), c.q_heads, c.qk}),
        out(ATTNRT_DTYPE_F64, {batch.tokens(), c.q_heads, c.v}),
        op(driver.prepare("plain", layer_of(c, variant, ATTNRT_OP_MIXED))) {
    q.fill(std::vector<double>(c.q.begin(), c.q.end()));
  }
  std::vector<double> run(PluginDriver& driver) {
    AttendCall call;
    call.q = q.view();
    call.out = out.view();
    call.cache = cache.view();
    driver.attend(*op, batch.view(), batch.bounds(), call);
    return out.values();
  }

  const RecordedCase& c;
  TestBatch batch;
  PagedCache cache;
  DenseTensor q, out;
  OpHandle op;
};

TEST(Window, NeverTouchesBlocksThatLieBehindIt) {
  PluginDriver driver(kReferencePlugin);
  Variant variant;
  variant.block_size = 4;
  Attend a(driver, recorded_case("window"), variant);
  const std::vector<double> before = a.run(driver);
  const std::vector<int32_t> freed = a.batch.free_behind_window(a.c.window);
  ASSERT_GE(freed.size(), 4U);
  for (const int32_t block : freed) a.cache.scribble(block, 0xFF);  // NaN
  EXPECT_EQ(a.run(driver), before);
}

TEST(Attend, ReadsNothingBeyondTheKeysOfItsSequences) {
  PluginDriver driver(kReferencePlugin);
  Attend a(driver, recorded_case("causal"), {});
  const std::vector<double> before = a.run(driver);
  // The spare block and the unused tail of last blocks hold NaN, as does all padding.
  PagedCache poisoned(a.cache.spec());
  std::fill(poisoned.bytes().begin(), poisoned.bytes().end(), 0xFF);
  DenseTensor k(ATTNRT_DTYPE_F32, {a.batch.keys(), a.c.kv_heads, a.c.qk});
  DenseTensor v(ATTNRT_DTYPE_F32, {a.batch.keys(), a.c.kv_heads, a.c.v});
  k.fill(std::vector<double>(a.c.k.begin(), a.c.k.end()));
  v.fill(std::vector<double>(a.c.v_rows.begin(), a.c.v_rows.end()));
  const std::vector<int64_t> slots = a.batch.key_slots();
  AppendCall call;
  call.k = k.view();
  call.v = v.view();
  call.cache = poisoned.view();
  call.slots = slots;
  const OpHandle append = driver.prepare("plain", layer_of(a.c, {}, ATTNRT_OP_APPEND));
  driver.append(*append, call);
  a.cache = poisoned;
  EXPECT_EQ(a.run(driver), before);
}

TEST(NaN, InAValueReachesTheQueriesThatSeeItAndNoOthers) {
  PluginDriver driver(kReferencePlugin);
  RecordedCase c = recorded_case("causal");
  c.lengths = {{5, 5}};
  c.q.resize(5 * 4 * 16);
  c.k.resize(5 * 2 * 16);
  c.v_rows.resize(5 * 2 * 16);
  const std::vector<double> clean = run(driver, c, {}).out;
  c.v_rows[(3 * 2 + 1) * 16 + 7] = std::nanf("");  // key 3, head 1, element 7
  const std::vector<double> got = run(driver, c, {}).out;
  for (size_t i = 0; i < got.size(); ++i) {
    const size_t token = i / 64;
    const size_t kv_head = i / 16 % 4 / 2;
    const bool reached = token >= 3 && kv_head == 1 && i % 16 == 7;
    EXPECT_EQ(std::isnan(got[i]), reached) << i;
    if (!reached) {
      EXPECT_EQ(got[i], clean[i]) << i;
    }
  }
}

TEST(MinusInfinity, AsASinkIsNoSink) {
  PluginDriver driver(kReferencePlugin);
  RecordedCase c = recorded_case("sinks");
  const float none = -std::numeric_limits<float>::infinity();
  c.sinks.assign(c.sinks.size(), none);
  RecordedCase plain = c;
  plain.features &= ~ATTNRT_FEATURE_SINKS;
  EXPECT_EQ(run(driver, c, {}).out, run(driver, plain, {}).out);
  EXPECT_EQ(run(driver, c, {}).lse, run(driver, plain, {}).lse);
}

TEST(MinusInfinity, AsAScoreWeighsNothingEvenInFront) {
  PluginDriver driver(kReferencePlugin);
  RecordedCase c = recorded_case("causal");
  c.lengths = {{1, 3}};
  c.q.assign(4 * 16, 1.0F);
  c.k.assign(3 * 2 * 16, 0.0F);
  c.v_rows.assign(3 * 2 * 16, 2.0F);
  for (size_t head = 0; head < 2; ++head) {
    c.k[head * 16] = -std::numeric_limits<float>::infinity();  // of the first key
    c.v_rows[head * 16] = std::nanf("");
  }
  for (const double x : run(driver, c, {}).out) EXPECT_EQ(x, 2.0);
}

TEST(Scores, FarBeyondTheRangeOfExpStayFinite) {
  PluginDriver driver(kReferencePlugin);
  RecordedCase c = recorded_case("causal");
  c.scale = 1e5F;
  const Outcome got = run(driver, c, {});
  for (const double x : got.out) EXPECT_TRUE(std::isfinite(x));
  for (const double x : got.lse) EXPECT_TRUE(std::isfinite(x));
}

}  // namespace
}  // namespace attnrt::testing
