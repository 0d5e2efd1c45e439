// Failure: a blacklist of KV dtypes let through every dtype invented after it was written:
// fp8_e5m2, nvfp4 and int8_per_token_head reached a kernel that knew fp8_e4m3 on SM90 only.
// Answer: support is an explicit list; what is not written is refused.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/failures/support.hpp"
#include "tests/failures/tiny_model.hpp"

namespace attnrt::failures {
namespace {

const std::string kHopper = "device=cuda:sm_90 q=bf16 head_dim=128 block=64 kv=";

TEST(KvDtypeBlacklist, TheFormatThatTheKernelKnowsIsAccepted) {
  const Catalog catalog = todays({"flash_attn"});
  for (const char* kv : {"auto", "bfloat16", "half", "fp8", "fp8_e4m3"}) {
    EXPECT_TRUE(accepted(ask(kHopper + kv), catalog)) << kv;
  }
}

TEST(KvDtypeBlacklist, FormatsThatCameLaterAreRefusedWithWhatIsAllowed) {
  const Catalog catalog = todays({"flash_attn"});
  for (const char* kv : {"fp8_e5m2", "nvfp4", "int8_per_token_head", "fp8_per_token_head",
                         "nvfp4_4over6", "turboquant_k8v4"}) {
    SCOPED_TRACE(kv);
    expect_refused_for(Rule::kKv, ask(kHopper + kv), catalog);
  }
}

TEST(KvDtypeBlacklist, TheRefusalNamesAFormatThatWorks) {
  const Catalog catalog = todays({"flash_attn"});
  for (const char* kv : {"fp8_e5m2", "nvfp4", "int8_per_token_head"}) {
    const auto ways = expect_alternatives_work(ask(kHopper + kv).front(), catalog);
    const bool fp8 = std::ranges::any_of(
        ways, [](const Alternative& a) { return changed(a, "kv") == "fp8_e4m3"; });
    EXPECT_TRUE(fp8) << kv << ": fp8_e4m3 serves this request and is nearest in bytes";
  }
}

// Whatever the format and the device: a kernel that accepts it has it in its list.
TEST(KvDtypeBlacklist, NoKernelAcceptsAFormatThatItDoesNotList) {
  const Catalog catalog = todays();
  int accepted_by = 0;
  for (const FormatInfo& format : all_formats()) {
    for (const char* device : {"cuda:sm_80", "cuda:sm_90", "cuda:sm_100", "cuda:sm_120", "xpu",
                               "rocm:gfx942", "rocm:gfx1201", "cpu"}) {
      Request request = ask(std::string("block=64 device=") + device).front();
      request.kv = format.format;
      for (const Candidate& c : select(request, catalog).candidates) {
        if (!c.accepted()) continue;
        ++accepted_by;
        const Manifest& manifest = catalog.entries()[c.plugin].manifest;
        EXPECT_TRUE(manifest.kernels[c.kernel].kv.contains(format.format))
            << manifest.name << " " << format.name << " " << device;
      }
    }
  }
  EXPECT_GT(accepted_by, 50);
}

class KvDtypeNumbers : public testing::TestWithParam<std::string> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(KvDtypeNumbers);

// A plugin that computes refuses a format when planning, or computes the right numbers in it.
TEST_P(KvDtypeNumbers, EveryFormatIsRefusedAtPlanningOrExact) {
  int ran = 0;
  for (const FormatInfo& format : all_formats()) {
    Grid grid = Grid::kSmall;
    if (!grid_of(format.format, grid)) continue;
    SCOPED_TRACE(format.name);
    const TinyModel model = tiny_model(DType::kF32, {64, 64}, {0}, grid);
    auto outcome = plan_tiny(model, options_for(GetParam(), std::string(format.name)));
    ASSERT_TRUE(outcome.ok()) << to_string(outcome.error());
    if (!outcome->plan) {
      ASSERT_FALSE(outcome->refusals.empty());
      continue;
    }
    EXPECT_EQ(outcome->plan->layers[0].kv, format.format);
    const auto worst = worst_difference(model, std::move(*outcome->plan));
    ASSERT_TRUE(worst.ok()) << to_string(worst.error());
    EXPECT_LT(*worst, kF32Noise);
    ++ran;
  }
  EXPECT_GE(ran, 5) << "f32, f16, bf16 and both fp8 formats at least";
}

// Numbers that the format can't hold come out wrong: the comparison above can fail.
TEST_P(KvDtypeNumbers, APrecisionThatTheFormatLacksIsNoticed) {
  const TinyModel model = tiny_model(DType::kF32, {64, 64}, {0}, Grid::kFine);
  auto outcome = plan_tiny(model, options_for(GetParam(), "fp8"));
  ASSERT_TRUE(outcome.ok() && outcome->plan);
  const auto worst = worst_difference(model, std::move(*outcome->plan));
  ASSERT_TRUE(worst.ok()) << to_string(worst.error());
  EXPECT_GT(*worst, 100 * kF32Noise);
}

INSTANTIATE_TEST_SUITE_P(On, KvDtypeNumbers, testing::ValuesIn(numeric_plugins()),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace attnrt::failures
