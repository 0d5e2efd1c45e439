// Devices: spellings, families of SMs, and errors that name the way out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "attnrt/device.hpp"

namespace attnrt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const HostFacts kHost{.cpu_features = {"avx2", "fma"}, .cuda_sms = {90, 120}};

TEST(ParseDevice, RefusesWhatIsNotADevice) {
  for (const char* text : {"",
                           "gpu",
                           "cpu:",
                           "cpu:avx3",
                           "cpu:avx2+",
                           "cpu:+avx2",
                           "cpu:avx2,fma",
                           "cuda:",
                           "cuda:-1",
                           "cuda:2",
                           "cuda:sm_",
                           "cuda:sm_91",
                           "cuda:sm_90x",
                           "cuda:sm_100f",
                           "cuda:90",
                           "cuda:0x0",
                           "cuda:99999999999",
                           "rocm",
                           "rocm:",
                           "rocm:942",
                           "rocm:gfx1",
                           "xpu:",
                           "xpu:a",
                           "simt",
                           "simt:0",
                           "simt:sm_1",
                           "CPU",
                           "cuda:sm_-90",
                           "cpu:none+avx2"}) {
    const Result<Device> device = parse_device(text, kHost);
    ASSERT_FALSE(device.ok()) << text;
    EXPECT_EQ(device.error().code, ErrorCode::kInvalid) << text;
    EXPECT_EQ(device.error().where, "device") << text;
    EXPECT_FALSE(device.error().expected.empty()) << text;
    EXPECT_FALSE(device.error().remedy.empty()) << text;
  }
}

TEST(ParseDevice, AnUnknownFeatureNamesTheNearest) {
  EXPECT_THAT(parse_device("cpu:avx512_vnni", kHost).error().remedy, HasSubstr("'avx512vnni'"));
}

TEST(ParseDevice, PlainCpuIsThisMachine) {
  const Device device = *parse_device("cpu", kHost);
  EXPECT_EQ(device.kind, DeviceKind::kCpu);
  EXPECT_EQ(device.ordinal, 0);
  EXPECT_THAT(device.cpu_features, ElementsAre("avx2", "fma"));
}

TEST(ParseDevice, OtherMachinesAreDescribed) {
  const Device cpu = *parse_device("cpu:fma+avx512f+avx2+fma", kHost);
  EXPECT_EQ(cpu.ordinal, -1);
  EXPECT_THAT(cpu.cpu_features, ElementsAre("avx2", "avx512f", "fma"));
  EXPECT_THAT(parse_device("cpu:none", kHost)->cpu_features, IsEmpty());
  EXPECT_EQ(parse_device("cuda:sm_120", {})->sm, 120);
  EXPECT_EQ(parse_device("cuda:sm_90a", {})->sm, 90);
  EXPECT_EQ(parse_device("cuda:sm_120", {})->ordinal, -1);
  EXPECT_EQ(parse_device("rocm:gfx942", {})->gfx, "gfx942");
  EXPECT_EQ(parse_device("simt:sm_80", {})->sm, 80);
  EXPECT_EQ(parse_device("xpu:1", {})->ordinal, 1);
}

TEST(ParseDevice, CudaOrdinalsAreThisMachines) {
  EXPECT_EQ(parse_device("cuda:1", kHost)->sm, 120);
  EXPECT_EQ(parse_device("cuda", kHost)->sm, 90);
  const Result<Device> none = parse_device("cuda:0", {});
  ASSERT_FALSE(none.ok());
  EXPECT_THAT(none.error().expected, HasSubstr("which has 0"));
}

TEST(ParseDevice, TakesBackWhatToStringWrites) {
  for (const char* text : {"cpu", "cpu:avx2+fma", "cpu:none", "cuda:0", "cuda:sm_120",
                           "rocm:gfx942", "xpu", "xpu:0", "simt:sm_80"}) {
    const Device device = *parse_device(text, kHost);
    EXPECT_EQ(to_string(device), text);
    EXPECT_EQ(*parse_device(to_string(device), kHost), device);
  }
}

TEST(ExpandSm, NamesOneSmOrAFamily) {
  EXPECT_THAT(expand_sm("90"), ElementsAre(90));
  EXPECT_THAT(expand_sm("90a"), ElementsAre(90));
  EXPECT_THAT(expand_sm("100"), ElementsAre(100));
  EXPECT_THAT(expand_sm("100a"), ElementsAre(100));
  EXPECT_THAT(expand_sm("100f"), ElementsAre(100, 103));
  EXPECT_THAT(expand_sm("103f"), ElementsAre(103));
  EXPECT_THAT(expand_sm("120f"), ElementsAre(120, 121));
  for (const char* text : {"", "a", "f", "1", "90f", "80a", "999", "100ff", "-90", "9 0", "90.0",
                           "4294967386", "sm_90"}) {
    EXPECT_THAT(expand_sm(text), IsEmpty()) << text;
  }
}

TEST(ExpandSm, EveryKnownSmStandsForItself) {
  EXPECT_TRUE(std::is_sorted(known_sms().begin(), known_sms().end()));
  for (int32_t sm : known_sms()) EXPECT_THAT(expand_sm(std::to_string(sm)), ElementsAre(sm));
}

TEST(ProbeHost, ReportsKnownNamesInOrder) {
  const HostFacts facts = probe_host();
  EXPECT_TRUE(std::is_sorted(facts.cpu_features.begin(), facts.cpu_features.end()));
  for (const std::string& feature : facts.cpu_features) {
    const auto known = known_cpu_features();
    EXPECT_NE(std::find(known.begin(), known.end(), feature), known.end()) << feature;
  }
#if defined(__x86_64__)
  const auto has = [&](const char* f) {
    return std::find(facts.cpu_features.begin(), facts.cpu_features.end(), f) !=
           facts.cpu_features.end();
  };
  EXPECT_EQ(has("avx2"), __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(has("fma"), __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ(has("avx512f"), __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ(has("avx512bw"), __builtin_cpu_supports("avx512bw") != 0);
  EXPECT_EQ(has("avx512vnni"), __builtin_cpu_supports("avx512vnni") != 0);
  EXPECT_EQ(has("avx512bf16"), __builtin_cpu_supports("avx512bf16") != 0);
#endif
}

}  // namespace
}  // namespace attnrt
