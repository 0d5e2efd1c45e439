// What attnrt bench does on a device that is not the CPU, on the shim's: memory, streams, graphs
// and events are the plugin's, so a case's numbers and its times come the way they would from a
// GPU.
#include "attnrt/bench.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "bench/case.hpp"
#include "bench/device/copy_limit.hpp"
#include "bench/sweep.hpp"
#include "tests/simt/plugin/service_simt.hpp"

namespace attnrt::bench {
namespace {

using testing::HasSubstr;

PluginRegistry scan() {
  SearchOptions options;
  options.path = {ATTNRT_SIMT_PLUGINS};
  return PluginRegistry::scan(options);
}

BenchShape skewed() {
  BenchShape shape;
  shape.name = "skewed";
  shape.phase = "decode";
  shape.batch = 3;
  shape.kv_len = 70;
  shape.rest_kv_len = 33;
  shape.q_heads = 4;
  shape.kv_heads = 2;
  shape.head_dim = {64, 64};
  shape.block_size = 16;
  return shape;
}

CaseOptions options(const char* device, const char* backend) {
  CaseOptions o;
  o.shape = skewed();
  o.format = *parse_spelling("bf16");
  o.backend = backend;
  o.device = *parse_device(device, probe_host());
  o.walked_bytes = 80 * skewed().kv_tokens() * 512;  // 80 copies: two batches of 64 layers
  return o;
}

std::vector<float> floats(std::span<const uint8_t> bf16) {
  std::vector<float> values(bf16.size() / 2);
  for (size_t i = 0; i < values.size(); ++i) {
    const uint32_t bits = uint32_t{bf16[2 * i]} << 16 | uint32_t{bf16[2 * i + 1]} << 24;
    std::memcpy(&values[i], &bits, sizeof bits);
  }
  return values;
}

class DeviceCase : public testing::Test {
 protected:
  std::unique_ptr<Case> open(const CaseOptions& o) {
    Result<std::unique_ptr<Case>> opened = Case::open(o, registry_);
    EXPECT_TRUE(opened) << to_string(opened.error());
    return opened ? *std::move(opened) : nullptr;
  }
  PluginRegistry registry_ = scan();
};

TEST_F(DeviceCase, EveryCopyHoldsWhatTheOracleHolds) {
  const auto oracle = open(options("cpu", "reference"));
  ASSERT_TRUE(oracle && oracle->attend() && oracle->check_output());
  const std::vector<float> wanted = floats(oracle->output());

  const auto on_device = open(options("simt:sm_80", "cuda_simt"));
  ASSERT_TRUE(on_device);
  ASSERT_EQ(on_device->calls_a_round(), 128);
  for (int64_t i = 0; i < on_device->calls_a_round(); ++i) {
    ASSERT_TRUE(on_device->attend() && on_device->check_output());
    const std::vector<float> found = floats(on_device->output());
    ASSERT_EQ(found.size(), wanted.size());
    double largest = 0;
    for (size_t j = 0; j < found.size(); ++j) {
      ASSERT_NEAR(found[j], wanted[j], 0.02) << "call " << i;
      largest = std::max(largest, std::fabs(double{wanted[j]}));
    }
    EXPECT_GT(largest, 0.2) << "not all zeros";
  }
}

TEST_F(DeviceCase, AGraphDoesWhatItKeptAndNothingBefore) {
  const auto one = open(options("simt:sm_80", "cuda_simt"));
  ASSERT_TRUE(one);
  const auto replay = Replay::capture(one->stream(), [&] { return one->attend(); });
  ASSERT_TRUE(replay) << to_string(replay.error());
  ASSERT_TRUE(one->check_output());
  const auto zeros = [&] {
    return std::all_of(one->output().begin(), one->output().end(),
                       [](uint8_t b) { return b == 0; });
  };
  EXPECT_TRUE(zeros()) << "only kept so far";
  const Result<std::vector<double>> times_ms = (*replay)->play(3);
  ASSERT_TRUE(times_ms) << to_string(times_ms.error());
  EXPECT_EQ(times_ms->size(), 3u);
  for (const double ms : *times_ms) EXPECT_GT(ms, 0);
  ASSERT_TRUE(one->check_output());
  EXPECT_FALSE(zeros());
}

TEST_F(DeviceCase, WhatFailsWhileItIsKeptIsTheErrorAndEndsTheCapture) {
  const auto one = open(options("simt:sm_80", "cuda_simt"));
  ASSERT_TRUE(one);
  const auto failed = Replay::capture(one->stream(), [] {
    return Status(Error{ErrorCode::kVerification, "here", "", "this", ""});
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().found, "this");
  EXPECT_TRUE(Replay::capture(one->stream(), [&] { return one->attend(); }));
}

TEST(DeviceTiming, NamesTheFunctionsThatAPluginLacks) {
  attnrt_device_service service = cuda::simt_service();
  EXPECT_TRUE(check_timing({&service, nullptr}));
  service.begin_capture = nullptr;
  service.elapsed_ms = nullptr;
  const Status lacking = check_timing({&service, nullptr});
  ASSERT_FALSE(lacking);
  EXPECT_EQ(lacking.error().code, ErrorCode::kPluginRefused);
  EXPECT_THAT(to_string(lacking.error()), HasSubstr("without elapsed_ms, begin_capture"));
}

TEST(DeviceTiming, CountsWhatACopyReadsAndWrites) {
  const DeviceFunctions device{&cuda::simt_service(), nullptr};
  const auto stream = Stream::create(device);
  ASSERT_TRUE(stream);
  const Result<ReadLimit> copy = measure_copy(**stream, 1 << 20);
  ASSERT_TRUE(copy) << to_string(copy.error());
  EXPECT_EQ(copy->bytes, 1 << 20);
  EXPECT_GT(copy->gb_s, 0.1);
  EXPECT_LT(copy->gb_s, 1e4);
}

TEST(DeviceSweep, GivesADecodeAShareOfTheCopyAndAPrefillNone) {
  const PluginRegistry registry = scan();
  BenchConfig config;
  config.device = *parse_device("simt:sm_80", probe_host());
  config.formats = {*parse_spelling("bf16"), *parse_spelling("fp8_e4m3")};
  config.threads = {0};
  config.effort.iterations = 3;
  config.effort.kv_mib = 1;
  config.shapes = {skewed(), skewed()};
  config.shapes[1].name = "prefill";
  config.shapes[1].op = Op::kPrefill;
  config.shapes[1].q_len = 5;
  const Result<SweepResult> swept = sweep(config, registry, probe_host());
  ASSERT_TRUE(swept) << to_string(swept.error());
  EXPECT_EQ(swept->device, "simt:sm_80");
  ASSERT_EQ(swept->limits.size(), 1u);
  EXPECT_EQ(swept->limits[0].read[0].level, "copy");
  ASSERT_EQ(swept->figures.size(), 4u);
  for (const Figure& f : swept->figures) {
    EXPECT_EQ(f.timing.iterations, 3);
    EXPECT_GE(f.walked_bytes, 1 << 20);
    const bool decode = f.shape.name == "skewed";
    EXPECT_EQ(f.limit.name, decode ? "memory" : "");
    EXPECT_EQ(std::isnan(f.share_of_limit()), !decode);
    if (!decode) continue;
    const double wanted = f.kv_gb_s() / swept->limits[0].memory_gb_s();
    EXPECT_NEAR(f.share_of_limit(), wanted, 1e-9 + 1e-6 * wanted);
  }
  EXPECT_EQ(swept->figures[0].work.kv_bytes, (70.0 + 33 + 33) * 2 * 2 * 64 * 2);
}

TEST(DeviceSweep, RefusesThreads) {
  const PluginRegistry registry = scan();
  BenchConfig config;
  config.device = *parse_device("simt:sm_80", probe_host());
  config.formats = {*parse_spelling("bf16")};
  config.threads = {4};
  config.shapes = {skewed()};
  config.places["bench.threads"] = "--threads";
  const Result<SweepResult> swept = sweep(config, registry, probe_host());
  ASSERT_FALSE(swept);
  EXPECT_EQ(to_string(swept.error()),
            "--threads: expected no threads with a device that is not the CPU, found 4; leave them "
            "out: the device's work is started by one");
}

}  // namespace
}  // namespace attnrt::bench
