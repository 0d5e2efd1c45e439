// What the oracle refuses, and how it says so. Also exercises attnrt/plugin.hpp at the C boundary.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tests/plugins/reference/attention_fixture.hpp"

namespace attnrt::testing {
namespace {

using ::testing::HasSubstr;

template <class Body>
void expect_failure(attnrt_status status, const std::string& text, Body&& body) {
  try {
    body();
    FAIL() << "was accepted; expected: " << text;
  } catch (const PluginFailure& failure) {
    EXPECT_EQ(failure.status(), status) << failure.what();
    EXPECT_THAT(failure.what(), HasSubstr(text));
  }
}

TEST(Open, RefusesOptionsAndOtherDevices) {
  DriverOptions options;
  options.options = {{"speed", "fast"}};
  expect_failure(ATTNRT_INVALID_ARGUMENT, "unknown option 'speed'",
                 [&] { PluginDriver driver(kReferencePlugin, options); });
  DriverOptions cuda;
  cuda.device.kind = ATTNRT_DEVICE_CUDA;
  expect_failure(ATTNRT_UNSUPPORTED, "expected the CPU",
                 [&] { PluginDriver driver(kReferencePlugin, cuda); });
  cuda.device.kind = 77;
  expect_failure(ATTNRT_UNSUPPORTED, "device.kind is 77",
                 [&] { PluginDriver driver(kReferencePlugin, cuda); });
}

class Prepare : public ::testing::Test {
 protected:
  void refuse(attnrt_status status, const std::string& text) {
    expect_failure(status, text, [&] { driver_.prepare("plain", layer_); });
  }
  PluginDriver driver_{kReferencePlugin};
  attnrt_layer_class layer_ = make_layer_class(ATTNRT_OP_MIXED, "bf16", 4, 2, 64, 64);
};

TEST_F(Prepare, RefusesAnUnknownFormat) {
  layer_.cache_format = "turboquant_k8v4";
  refuse(ATTNRT_UNSUPPORTED, "'turboquant_k8v4', which is not in the manifest");
}

TEST_F(Prepare, RefusesHeadSizesThatTheFormatHasNot) {
  layer_.cache_format = "nvfp4_linear";
  layer_.head_dim_qk = 24;
  refuse(ATTNRT_INVALID_ARGUMENT, "head_dim_qk is 24");
}

TEST_F(Prepare, RefusesHeadsThatDoNotDivide) {
  layer_.q_heads = 5;
  refuse(ATTNRT_INVALID_ARGUMENT, "q_heads is 5");
}

TEST_F(Prepare, RefusesBlocksThatTheFormatHasNot) {
  layer_.cache_format = "nvfp4_swizzled";
  layer_.block_size = 6;
  refuse(ATTNRT_INVALID_ARGUMENT, "block_size is 6");
}

TEST_F(Prepare, WantsExactlyOneMaskAndTheParametersOfItsFeatures) {
  layer_.features = ATTNRT_FEATURE_LSE;
  refuse(ATTNRT_INVALID_ARGUMENT, "0 masks, expected exactly one");
  layer_.features = ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_CROSS;
  refuse(ATTNRT_INVALID_ARGUMENT, "2 masks");
  layer_.features = ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_WINDOW;
  refuse(ATTNRT_INVALID_ARGUMENT, "window is 0");
  layer_.features = ATTNRT_FEATURE_CAUSAL | ATTNRT_FEATURE_SOFTCAP;
  refuse(ATTNRT_INVALID_ARGUMENT, "softcap is 0");
}

TEST_F(Prepare, RefusesUnknownEnumerationValues) {
  layer_.op = 9;
  refuse(ATTNRT_UNSUPPORTED, "op is 9");
  layer_.op = ATTNRT_OP_DECODE;
  layer_.q_dtype = 40;
  refuse(ATTNRT_UNSUPPORTED, "q_dtype is 40");
  layer_.q_dtype = ATTNRT_DTYPE_F32;
  layer_.features |= UINT64_C(1) << 50;
  refuse(ATTNRT_UNSUPPORTED, "features has unknown bits");
}

TEST_F(Prepare, IgnoresZeroFieldsOfALaterVersionAndRefusesOthers) {
  struct Later {
    attnrt_layer_class known;
    uint64_t unknown;
  };
  Later later{layer_, 0};
  later.known.struct_size = sizeof(later);
  EXPECT_NO_THROW(driver_.prepare("plain", later.known));
  later.unknown = 1;
  expect_failure(ATTNRT_UNSUPPORTED, "does not know",
                 [&] { driver_.prepare("plain", later.known); });
}

TEST_F(Prepare, TakesAnEarlierVersionsStructAsIfTheRestWereZero) {
  layer_.softcap = 3.0F;  // beyond the size that is given, so it does not exist
  layer_.struct_size = offsetof(attnrt_layer_class, softcap);
  EXPECT_NO_THROW(driver_.prepare("plain", layer_));
  layer_.struct_size = 0;
  refuse(ATTNRT_INVALID_ARGUMENT, "struct_size is 0");
}

TEST(Schedule, RefusesBatchesThatContradictThemselves) {
  PluginDriver driver(kReferencePlugin);
  const RecordedCase& c = recorded_case("causal");
  const OpHandle op = driver.prepare("plain", layer_of(c, {}, ATTNRT_OP_MIXED));
  const TestBatch batch(c.lengths, 16);
  const auto refuse = [&](const std::string& text, const attnrt_batch& b) {
    expect_failure(ATTNRT_INVALID_ARGUMENT, text,
                   [&] { driver.attend(*op, b, batch.bounds(), {}); });
  };
  attnrt_batch b = batch.view();
  b.tokens += 1;
  refuse("q_start does not run from 0 to tokens", b);
  b = batch.view();
  b.kv_len = {nullptr, nullptr};
  refuse("kv_len.host is null", b);
  b = batch.view();
  b.block_table_stride = 1;
  refuse("its row of the block table has 1 entries", b);
}

TEST(AttendCalls, RefuseWrongTensorsAndBlocks) {
  PluginDriver driver(kReferencePlugin);
  const RecordedCase& c = recorded_case("causal");
  const OpHandle op = driver.prepare("plain", layer_of(c, {}, ATTNRT_OP_MIXED));
  const TestBatch batch(c.lengths, 16);
  PagedCache cache = filled_cache(driver, c, {}, batch);
  DenseTensor q(ATTNRT_DTYPE_F32, {batch.tokens(), c.q_heads, c.qk});
  DenseTensor out(ATTNRT_DTYPE_F64, {batch.tokens(), c.q_heads, c.v});
  DenseTensor wrong(ATTNRT_DTYPE_F16, {batch.tokens(), c.q_heads, c.v});
  DenseTensor narrow(ATTNRT_DTYPE_F32, {batch.tokens(), c.q_heads, c.qk - 8});
  q.fill(0.0);
  AttendCall good;
  good.q = q.view();
  good.out = out.view();
  good.cache = cache.view();
  const auto refuse = [&](const std::string& text, const AttendCall& call) {
    expect_failure(ATTNRT_INVALID_ARGUMENT, text,
                   [&] { driver.attend(*op, batch.view(), batch.bounds(), call); });
  };
  EXPECT_NO_THROW(driver.attend(*op, batch.view(), batch.bounds(), good));
  AttendCall call = good;
  call.out = wrong.view();
  refuse("out is f16 (3), expected f64", call);
  call = good;
  call.q = narrow.view();
  refuse("expected [29, 4, 16]", call);
  call = good;
  call.q.data = nullptr;
  refuse("q.data is null", call);
  call = good;
  call.cache.blocks = 1;
  refuse("the cache has 1", call);
  call = good;
  call.cache.block_size = 8;
  refuse("cache.block_size is 8", call);
}

TEST(Errors, AreCutToTheCallersBufferAndMayBeUnwanted) {
  PluginDriver driver(kReferencePlugin);
  attnrt_layer_class layer = make_layer_class(ATTNRT_OP_MIXED, "none", 1, 1, 8, 8);
  attnrt_op* op = nullptr;
  char text[12];
  std::memset(text, 'x', sizeof(text));
  attnrt_error error{text, 10};
  const attnrt_plugin& f = driver.functions();
  EXPECT_EQ(f.prepare(driver.instance(), "plain", &layer, &op, &error), ATTNRT_UNSUPPORTED);
  EXPECT_STREQ(text, "cache_for");
  EXPECT_EQ(text[10], 'x');
  EXPECT_EQ(f.prepare(driver.instance(), "plain", &layer, &op, nullptr), ATTNRT_UNSUPPORTED);
  EXPECT_EQ(f.prepare(driver.instance(), nullptr, &layer, &op, nullptr), ATTNRT_INVALID_ARGUMENT);
  EXPECT_EQ(f.prepare(nullptr, "plain", &layer, &op, nullptr), ATTNRT_INVALID_ARGUMENT);
  EXPECT_EQ(op, nullptr);
}

TEST(Describe, SaysWhatIsInUse) {
  PluginDriver driver(kReferencePlugin);
  EXPECT_EQ(driver.describe(), "double precision, 1 threads");
}

}  // namespace
}  // namespace attnrt::testing
