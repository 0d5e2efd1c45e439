// What configurations mean.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "tests/config/fixture.hpp"

namespace attnrt {
namespace {

using testing::ElementsAre;

RunFile parsed(const std::string& yaml) {
  Result<RunFile> file = test::parse(yaml);
  if (file.ok()) return *std::move(file);
  ADD_FAILURE() << to_string(file.error());
  RunFile empty;
  empty.runs.emplace_back();
  return empty;
}

TEST(Config, OneLineIsARunWithDefaults) {
  const RunFile file = parsed("model: {geometry: smollm2-135m}");
  ASSERT_EQ(file.runs.size(), 1u);
  const RunConfig& run = file.runs[0];
  EXPECT_EQ(run.name, "smollm2-135m auto");
  EXPECT_EQ(run.where, "/etc/runs/run.yaml:1:1");
  EXPECT_EQ(run.model.layers.size(), 30u);
  EXPECT_EQ(run.device.kind, DeviceKind::kCpu);
  EXPECT_THAT(run.device.cpu_features, ElementsAre("avx2", "fma"));
  EXPECT_EQ(run.kv_cache.format.kind, Spelling::Kind::kAuto);
  EXPECT_FALSE(run.kv_cache.block_size.has_value());
  EXPECT_FALSE(run.verify.has_value());
  EXPECT_TRUE(std::holds_alternative<SyntheticWorkload>(run.workload));
  EXPECT_EQ(run.plugins.on_refusal, PluginConfig::OnRefusal::kFail);
}

TEST(Config, EverySectionArrives) {
  const RunFile file = parsed(R"(
name: all
model: {geometry: gemma-3-270m}
device: cuda:sm_120
kv_cache: {format: fp8, skip_layers: [0, "2-3", sliding_window], skip_format: bf16, block_size: 32,
           layout: hnd, blocks: 4096}
request: {q: f16, out: f32, features: [lse, batch_invariant], query_tokens: 4,
          tensors: strided, pages: strided, alignment: 8}
plugins:
  path: [plugins, /opt/plugins]
  manifests: more
  prefer: [cpu, reference]
  deny: slow
  options: {cpu: {threads: 2, isa: avx2}}
  on_refusal: replan
workload: {kind: recorded, file: gemma3-270m.safetensors, decode_tokens: 16, chunk_tokens: 256}
verify: {against: oracle, sample: 0.25, max_error: 0.01}
report: {json: out.json, html: out.html}
)");
  const RunConfig& run = file.runs.at(0);
  EXPECT_EQ(run.name, "all");
  EXPECT_EQ(run.device.sm, 120);
  EXPECT_EQ(run.kv_cache.format.text, "fp8");
  ASSERT_EQ(run.kv_cache.skip_layers.size(), 3u);
  EXPECT_EQ(run.kv_cache.skip_layers[1].last, 3);
  EXPECT_EQ(run.kv_cache.skip_layers[2].kind, LayerSelector::Kind::kSlidingWindow);
  EXPECT_EQ(run.kv_cache.skip_format.text, "bf16");
  EXPECT_EQ(run.kv_cache.block_size, 32);
  EXPECT_EQ(run.kv_cache.layout, Layout::kHnd);
  EXPECT_EQ(run.blocks, 4096);
  EXPECT_EQ(run.q, DType::kF16);
  EXPECT_EQ(run.out, DType::kF32);
  EXPECT_EQ(run.features, (Features{Feature::kLse, Feature::kBatchInvariant}));
  EXPECT_EQ(run.decode_query_tokens, 4);
  EXPECT_EQ(run.tensors, Strides::kStrided);
  EXPECT_EQ(run.pages, Strides::kStrided);
  EXPECT_EQ(run.alignment, 8);
  EXPECT_THAT(run.plugins.search.path, ElementsAre("/etc/runs/plugins", "/opt/plugins"));
  EXPECT_THAT(run.plugins.search.manifests, ElementsAre("/etc/runs/more"));
  EXPECT_THAT(run.plugins.policy.prefer, ElementsAre("cpu", "reference"));
  EXPECT_THAT(run.plugins.policy.deny, ElementsAre("slow"));
  EXPECT_THAT(run.plugins.options.at("cpu"),
              ElementsAre(std::pair("threads", "2"), std::pair("isa", "avx2")));
  EXPECT_EQ(run.plugins.on_refusal, PluginConfig::OnRefusal::kReplan);
  const auto& work = std::get<RecordedWorkload>(run.workload);
  EXPECT_EQ(work.file, "/cache/attnrt/gemma3-270m.safetensors");
  EXPECT_EQ(work.decode_tokens, 16);
  EXPECT_EQ(work.chunk_tokens, 256);
  EXPECT_EQ(run.verify->against, "oracle");
  EXPECT_EQ(run.verify->sample, 0.25);
  EXPECT_EQ(run.verify->max_error, 0.01);
  EXPECT_EQ(file.report.json, "out.json");
  EXPECT_EQ(file.report.html, "out.html");
  const PlanOptions options = run.plan_options();
  EXPECT_EQ(options.policy.deny, run.plugins.policy.deny);
  EXPECT_EQ(options.q, DType::kF16);
  EXPECT_EQ(options.features, run.features);
  EXPECT_EQ(options.tensors, run.tensors);
  EXPECT_EQ(options.pages, run.pages);
  EXPECT_EQ(options.alignment, run.alignment);
}

TEST(Config, ListOfFormatsIsARunEach) {
  const RunFile file =
      parsed(test::with("kv_cache: {format: [bf16, fp8_e4m3, int8_per_token_head]}"));
  ASSERT_EQ(file.runs.size(), 3u);
  EXPECT_EQ(file.runs[1].name, "smollm2-135m fp8_e4m3");
  EXPECT_EQ(file.runs[1].kv_cache.format.format, Format::kFp8E4m3);
  EXPECT_EQ(file.runs[2].model.layers.size(), 30u);
}

TEST(Config, RunsOverrideTheRestKeyByKey) {
  const RunFile file = parsed(R"(
workload: {kind: recorded, decode_tokens: 8}
kv_cache: {format: bf16, block_size: 32}
verify: {sample: 0.5}
runs:
  - model: {geometry: smollm2-135m}
    workload: {file: ./a.safetensors}
    kv_cache: {format: [bf16, fp8]}
  - name: skipped
    model: {geometry: gemma-3-270m}
    workload: {file: ~/b.safetensors}
    kv_cache: {format: fp8, skip_layers: [sliding_window], block_size: ~}
    verify: ~
)");
  ASSERT_EQ(file.runs.size(), 3u);
  EXPECT_EQ(file.runs[0].kv_cache.block_size, 32);
  EXPECT_EQ(std::get<RecordedWorkload>(file.runs[0].workload).file, "/etc/runs/a.safetensors");
  EXPECT_EQ(std::get<RecordedWorkload>(file.runs[1].workload).decode_tokens, 8);
  EXPECT_TRUE(file.runs[0].verify.has_value());
  EXPECT_EQ(file.runs[2].name, "skipped");
  EXPECT_EQ(file.runs[2].kv_cache.block_size, std::nullopt) << "null takes a key away";
  EXPECT_FALSE(file.runs[2].verify.has_value());
  EXPECT_EQ(std::get<RecordedWorkload>(file.runs[2].workload).file,
            std::string(std::getenv("HOME")) + "/b.safetensors");
}

TEST(Config, PolicyOfTheRunsDeviceReplacesKeys) {
  const RunFile file = parsed(test::with(
      "plugins: {prefer: [a], deny: [b], per_device: {cpu: {prefer: [c]}, cuda: {deny: []}}}"));
  const PluginConfig& plugins = file.runs[0].plugins;
  EXPECT_THAT(plugins.policy_for(DeviceKind::kCpu).prefer, ElementsAre("c"));
  EXPECT_THAT(plugins.policy_for(DeviceKind::kCpu).deny, ElementsAre("b"));
  EXPECT_THAT(plugins.policy_for(DeviceKind::kCuda).prefer, ElementsAre("a"));
  EXPECT_TRUE(plugins.policy_for(DeviceKind::kCuda).deny.empty());
  EXPECT_THAT(plugins.policy_for(DeviceKind::kXpu).prefer, ElementsAre("a"));
  EXPECT_THAT(file.runs[0].plan_options().policy.prefer, ElementsAre("c"));
}

TEST(Config, CommandLineStandsInForTheFile) {
  ConfigContext context = test::bare_context();
  context.device = "rocm:gfx942";
  context.plugin_path = {"/p"};
  context.manifest_folders = {"/m"};
  const Result<RunFile> file = parse_config(
      test::with("device: cpu\nplugins: {path: x, manifests: /n}"), "run.yaml", context);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->runs[0].device.gfx, "gfx942");
  EXPECT_THAT(file->runs[0].plugins.search.path, ElementsAre("/p"));
  EXPECT_THAT(file->runs[0].plugins.search.manifests, ElementsAre("/n", "/m"));
}

TEST(Config, LengthsAreDrawnFromTheSeedAlone) {
  const std::string line =
      "workload: {kind: synthetic, seed: 7, lengths: {count: 5, min: 10, max: 20}}";
  const auto work = std::get<SyntheticWorkload>(parsed(test::with(line)).runs[0].workload);
  EXPECT_EQ(work.prompt_tokens,
            std::get<SyntheticWorkload>(parsed(test::with(line)).runs[0].workload).prompt_tokens);
  EXPECT_THAT(work.prompt_tokens, testing::Each(testing::AllOf(testing::Ge(10), testing::Le(20))));
  EXPECT_THAT(work.arrival_step, ElementsAre(0, 0, 0, 0, 0));
  std::string other = line;
  other.replace(other.find("7"), 1, "8");
  EXPECT_NE(work.prompt_tokens,
            std::get<SyntheticWorkload>(parsed(test::with(other)).runs[0].workload).prompt_tokens);
}

TEST(Config, ArrivalsAreSpreadOverSteps) {
  const auto work = std::get<SyntheticWorkload>(
      parsed(
          test::with("workload: {kind: synthetic, lengths: [0, 3, 1], arrivals: {every_steps: 4},"
                     " decode_steps: 2, chunk_tokens: 16}"))
          .runs[0]
          .workload);
  EXPECT_THAT(work.prompt_tokens, ElementsAre(0, 3, 1));
  EXPECT_THAT(work.arrival_step, ElementsAre(0, 4, 8));
  EXPECT_EQ(work.decode_steps, 2);
  EXPECT_EQ(work.chunk_tokens, 16);
}

TEST(Config, ModelMayBeWrittenOut) {
  const RunFile file = parsed(R"(
model:
  name: tiny
  dtype: f16
  layer: {q_heads: 4, kv_heads: 2, head_dim: 32}
  layers: [{count: 2}, {window: 8}]
)");
  EXPECT_EQ(file.runs[0].model.name, "tiny");
  EXPECT_EQ(file.runs[0].model.dtype, DType::kF16);
  ASSERT_EQ(file.runs[0].model.layers.size(), 3u);
  EXPECT_EQ(file.runs[0].model.layers[2].window, 8);
}

TEST(Config, ModelMayBeTheFirstLayersInAnotherDtype) {
  const RunFile file =
      parsed("model: {geometry: gemma-3-270m, first_layers: 6, dtype: f32, name: g}");
  EXPECT_EQ(file.runs[0].model.layers.size(), 6u);
  EXPECT_EQ(file.runs[0].model.dtype, DType::kF32);
  EXPECT_EQ(file.runs[0].name, "g auto");
}

TEST(Config, CacheFolderFollowsTheEnvironment) {
  const char* before = std::getenv("XDG_CACHE_HOME");
  const std::string saved = before == nullptr ? "" : before;
  setenv("XDG_CACHE_HOME", "/x", 1);
  EXPECT_EQ(user_cache_folder(), "/x/attnrt");
  setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(user_cache_folder(), std::string(std::getenv("HOME")) + "/.cache/attnrt");
  unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(user_cache_folder(), std::string(std::getenv("HOME")) + "/.cache/attnrt");
  if (!saved.empty()) setenv("XDG_CACHE_HOME", saved.c_str(), 1);
}

// The environment without a home; put back at the end.
class Homeless {
 public:
  Homeless() {
    for (auto& [name, value] : saved_) {
      if (const char* now = std::getenv(name)) value = now;
      unsetenv(name);
    }
  }
  ~Homeless() {
    for (const auto& [name, value] : saved_) {
      if (!value.empty()) setenv(name, value.c_str(), 1);
    }
  }

 private:
  std::pair<const char*, std::string> saved_[2] = {{"HOME", ""}, {"XDG_CACHE_HOME", ""}};
};

TEST(Config, WithoutAHomeThereIsNoCacheFolder) {
  const Homeless homeless;
  EXPECT_EQ(user_cache_folder(), "") << "never the current folder";
  ConfigContext context = test::bare_context();
  context.cache_folder = user_cache_folder();
  const Result<RunFile> bare = parse_config(
      test::with("workload: {kind: recorded, file: a.safetensors}"), "/etc/run.yaml", context);
  ASSERT_TRUE(bare.ok()) << "a plan needs no recording";
  EXPECT_EQ(std::get<RecordedWorkload>(bare->runs[0].workload).file, "a.safetensors");
  const Result<RunFile> home = parse_config(
      test::with("workload: {kind: recorded, file: ~/a.safetensors}"), "/etc/run.yaml", context);
  ASSERT_FALSE(home.ok());
  EXPECT_EQ(to_string(home.error()),
            "/etc/run.yaml:2:34: expected a home folder for ~/ (HOME), found no absolute path in "
            "HOME; set HOME, or write the whole path");
}

}  // namespace
}  // namespace attnrt
