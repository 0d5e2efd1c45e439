// The YAML of a benchmark.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "attnrt/bench.hpp"
#include "tests/config/fixture.hpp"

namespace attnrt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<BenchConfig> bench(std::string_view yaml) {
  return parse_bench(yaml, "/etc/runs/bench.yaml", test::bare_context());
}

const std::string kShape =
    "{name: a, phase: decode, batch: 1, q_len: 1, kv_len: 64, q_heads: 4, kv_heads: 2, "
    "head_dim: 64}";

TEST(BenchConfig, DefaultsAreOneFormatOneBackendAndAllCpus) {
  const auto config = bench("bench: {shapes: [" + kShape + "]}");
  ASSERT_TRUE(config.ok()) << to_string(config.error());
  ASSERT_EQ(config->shapes.size(), 1u);
  EXPECT_EQ(config->shapes[0].where, "/etc/runs/bench.yaml:1:18");
  ASSERT_EQ(config->formats.size(), 1u);
  EXPECT_EQ(config->formats[0].text, "bf16");
  EXPECT_TRUE(config->backends.empty());
  EXPECT_THAT(config->threads, ElementsAre(0));
  EXPECT_EQ(config->effort.min_iterations, 9);
  EXPECT_EQ(config->effort.iterations, 0);
  EXPECT_EQ(config->device.kind, DeviceKind::kCpu);
}

TEST(BenchConfig, EveryKeyIsRead) {
  const auto config = bench(R"(
device: cpu
plugins: {deny: [other], options: {cpu: {isa: avx2}}}
bench:
  shapes: [{name: mla, phase: decode, batch: 2, q_len: 1, kv_len: 64, q_heads: 16, kv_heads: 1, head_dim: [576, 512], block: 64, rest_kv_len: 9}]
  formats: [bf16, fp8]
  backends: [cpu, reference]
  threads: [1, 2]
  layout: hnd
  iterations: 3
  min_iterations: 2
  min_seconds: 0.25
  kv_mib: 8
  seed: 7
  profile_out: p.json
report: {json: a.json, html: a.html, png: a.png}
)");
  ASSERT_TRUE(config.ok()) << to_string(config.error());
  EXPECT_EQ(config->shapes[0].head_dim, (HeadDim{576, 512}));
  EXPECT_EQ(config->shapes[0].block_size, 64);
  EXPECT_EQ(config->shapes[0].rest_kv_len, 9);
  EXPECT_EQ(config->formats[1].kind, Spelling::Kind::kFp8);
  EXPECT_THAT(config->backends, ElementsAre("cpu", "reference"));
  EXPECT_THAT(config->threads, ElementsAre(1, 2));
  EXPECT_EQ(config->layout, Layout::kHnd);
  EXPECT_EQ(config->effort.iterations, 3);
  EXPECT_EQ(config->effort.min_iterations, 2);
  EXPECT_EQ(config->effort.min_seconds, 0.25);
  EXPECT_EQ(config->effort.kv_mib, 8);
  EXPECT_EQ(config->seed, 7u);
  EXPECT_EQ(config->profile_out, "p.json");
  EXPECT_EQ(config->json, "a.json");
  EXPECT_EQ(config->html, "a.html");
  EXPECT_EQ(config->png, "a.png");
  EXPECT_THAT(config->plugins.policy.deny, ElementsAre("other"));
  EXPECT_EQ(config->plugins.options.at("cpu").size(), 1u);
}

struct Bad {
  const char* name;
  std::string yaml;
  const char* message;
  friend std::ostream& operator<<(std::ostream& out, const Bad& bad) { return out << bad.name; }
};

class RefusedBench : public testing::TestWithParam<Bad> {};

TEST_P(RefusedBench, SaysWhereAndWhat) {
  const auto config = bench(GetParam().yaml);
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(to_string(config.error()), HasSubstr(GetParam().message));
}

std::string with(const std::string& keys) {
  return "bench: {shapes: [" + kShape + "], " + keys + "}";
}

const Bad kBad[] = {
    {"empty", "", "bench.yaml:1:1: expected a configuration (key: value), found nothing"},
    {"no_bench", "device: cpu", "expected what to measure"},
    {"no_shapes", "bench: {formats: bf16}", "expected a CSV file, or a list of shapes"},
    {"no_shape", "bench: {shapes: []}", "expected at least one shape, found an empty list"},
    {"unknown_key", with("format: bf16"), "expected a key of bench"},
    {"unknown_section", "model: x\n" + with("seed: 1"), "expected a key of a benchmark's file"},
    {"unknown_in_shape",
     "bench: {shapes: [{name: a, phase: decode, batch: 1, q_len: 1, kv_len: 8, "
     "q_heads: 4, kv_heads: 2, head_dim: 64, blok: 16}]}",
     "expected a key of a shape"},
    {"missing_in_shape", "bench: {shapes: [{name: a}]}", "expected a shape with phase"},
    {"bad_in_shape",
     "bench: {shapes: [{name: a, phase: decode, batch: x, q_len: 1, kv_len: 8, "
     "q_heads: 4, kv_heads: 2, head_dim: 64}]}",
     "bench.yaml:1:50: expected batch: an integer"},
    {"shape_twice", "bench: {shapes: [" + kShape + ", " + kShape + "]}", "'a' again"},
    {"format", with("formats: [bf17]"), "expected a KV format"},
    {"no_format", with("formats: []"), "expected at least one format"},
    {"threads", with("threads: 0"), "expected an integer from 1"},
    {"no_threads", with("threads: []"), "expected a number of threads"},
    {"layout", with("layout: dhn"), "expected"},
    {"iterations", with("iterations: 0"), "expected an integer from 1"},
    {"seconds", with("min_seconds: -1"), "expected a number from 0"},
    {"device", "device: gpu\n" + with("seed: 1"), "bench.yaml:1:9: expected a device"},
    {"csv", "bench: {shapes: none.csv}", "/etc/runs/none.csv"},
};
INSTANTIATE_TEST_SUITE_P(All, RefusedBench, testing::ValuesIn(kBad),
                         [](const auto& p) { return p.param.name; });

TEST(BenchConfig, ShippedOnesAreRight) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(ATTNRT_SOURCE_DIR) + "/configs/bench")) {
    if (entry.path().extension() != ".yaml") continue;
    const auto config = load_bench(entry.path().string(), test::bare_context());
    EXPECT_TRUE(config.ok()) << to_string(config.error());
    ++files;
  }
  EXPECT_GE(files, 2);
}

}  // namespace
}  // namespace attnrt
