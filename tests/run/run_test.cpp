// Whole runs over the shipped plugins: a recording of known attention, seeded data, wrong input.
#include "attnrt/run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "tests/run/fake_plugin.hpp"
#include "tests/run/safetensors_writer.hpp"

namespace attnrt {
namespace {

using testing::HasSubstr;
using testing_fakes::RecordingWriter;

constexpr int32_t kTokens = 48;
#ifdef ATTNRT_HAS_CPU_PLUGIN
const std::vector<std::string> kPlugins{"reference", "cpu"};
#else
const std::vector<std::string> kPlugins{"reference"};
#endif

// Two layers, the first with a window: small enough for the oracle under a sanitizer.
ModelGeometry small_model() {
  ModelGeometry model;
  model.name = "small";
  model.dtype = DType::kF32;
  model.layers.assign(2, LayerGeometry{4, 2, {64, 64}});
  model.layers[0].window = 20;
  return model;
}

// Random q, k and v, and the attention over them in double precision.
RecordingWriter record(const ModelGeometry& model) {
  RecordingWriter writer;
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (size_t l = 0; l < model.layers.size(); ++l) {
    const LayerGeometry& g = model.layers[l];
    const auto rows = [&](int32_t heads) {
      std::vector<float> values(static_cast<size_t>(kTokens * heads * 64));
      for (float& x : values) x = normal(random);
      return values;
    };
    const auto q = rows(g.q_heads), k = rows(g.kv_heads), v = rows(g.kv_heads);
    std::vector<float> out;
    for (int32_t i = 0; i < kTokens * g.q_heads; ++i) {
      const int32_t position = i / g.q_heads;
      const int32_t kv_head = i % g.q_heads / (g.q_heads / g.kv_heads);
      std::vector<const float*> keys, values;
      for (int32_t p = g.window > 0 ? std::max(position - g.window + 1, 0) : 0; p <= position;
           ++p) {
        keys.push_back(k.data() + (p * g.kv_heads + kv_head) * 64);
        values.push_back(v.data() + (p * g.kv_heads + kv_head) * 64);
      }
      const auto row = testing_fakes::attention({q.data() + i * 64, q.data() + i * 64 + 64}, keys,
                                                values, 64, 0.125);
      out.insert(out.end(), row.begin(), row.end());
    }
    const std::string prefix = "layers." + std::to_string(l) + ".";
    writer.add(prefix + "q", {kTokens, g.q_heads, 64}, q);
    writer.add(prefix + "k", {kTokens, g.kv_heads, 64}, k);
    writer.add(prefix + "v", {kTokens, g.kv_heads, 64}, v);
    writer.add(prefix + "out", {kTokens, g.q_heads, 64}, out);
  }
  return writer;
}

class RunTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "/attnrt_run_" + std::to_string(getpid()) + ".safetensors";
    write(record(small_model()).bytes());
    config.name = "test";
    config.where = "test.yaml:1:1";
    config.model = small_model();
    config.device = *parse_device("cpu", probe_host());
    config.kv_cache.format = *parse_spelling("f32");
    config.workload = RecordedWorkload{path_, 8, 0, 0, 0};
    config.plugins.search.path = {ATTNRT_BINARY_DIR "/plugins"};
    config.plugins.search.trust_any_owner = true;
  }
  void TearDown() override { std::remove(path_.c_str()); }

  void write(const std::vector<uint8_t>& bytes) {
    std::ofstream file(path_, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  void set_format(const std::string& format) { config.kv_cache.format = *parse_spelling(format); }
  Result<RunReport> go() { return run(config, PluginRegistry::scan(config.plugins.search)); }

  std::string path_;
  RunConfig config;
};

TEST_F(RunTest, GivesBackWhatTheModelComputed) {
  config.verify = VerifyConfig{};
  for (const std::string& plugin : kPlugins) {
    config.plugins.policy.require = plugin;
    for (const int32_t chunk : {0, 7}) {
      std::get<RecordedWorkload>(config.workload).chunk_tokens = chunk;
      Result<RunReport> report = go();
      ASSERT_TRUE(report) << plugin << ": " << to_string(report.error());
      ASSERT_TRUE(report->exact);
      EXPECT_LT(report->exact->relative_rms, 1e-5) << plugin;
      EXPECT_EQ(report->exact->values, 2 * kTokens * 4 * 64);
      EXPECT_EQ(report->tokens, kTokens);
      EXPECT_EQ(report->decode.steps, 8);
      EXPECT_EQ(report->prefill.steps, chunk == 0 ? 1 : 6);
      EXPECT_TRUE(report->verified);
      EXPECT_EQ(report->oracle.has_value(), plugin != "reference");
      EXPECT_EQ(report->groups.size(), 2u);
      EXPECT_FALSE(report->synthetic);
      EXPECT_DOUBLE_EQ(report->kv_bytes_per_token, 2 * 2 * 2 * 64 * 4);
    }
  }
}

TEST_F(RunTest, ShowsWhatAFormatLosesAndOnlyInTheLayersThatHaveIt) {
  set_format("int8_per_token_head");
  config.kv_cache.skip_layers = {*parse_layer_selector("sliding_window")};
  config.kv_cache.skip_format = *parse_spelling("f32");
  Result<RunReport> report = go();
  ASSERT_TRUE(report) << to_string(report.error());
  ASSERT_EQ(report->groups.size(), 2u);
  for (const GroupReport& group : report->groups) {
    ASSERT_TRUE(group.exact);
    const bool skipped = group.name.starts_with("sliding_window");
    EXPECT_EQ(group.format, skipped ? Format::kF32 : Format::kInt8PerTokenHead);
    if (skipped) {
      EXPECT_LT(group.exact->relative_rms, 1e-5);
    } else {
      EXPECT_GT(group.exact->relative_rms, 1e-4);
      EXPECT_LT(group.exact->relative_rms, 0.05);
    }
  }
}

TEST_F(RunTest, RunsASampleAndSaysSo) {
  config.workload = RecordedWorkload{path_, 4, 0, 20, 1};
  Result<RunReport> report = go();
  ASSERT_TRUE(report) << to_string(report.error());
  EXPECT_EQ(report->tokens, 20);
  EXPECT_EQ(report->recorded_tokens, kTokens);
  EXPECT_EQ(report->layers_run, 2);  // one of each group at least
}

#ifdef ATTNRT_HAS_CPU_PLUGIN
TEST_F(RunTest, FailsVerificationBeyondTheLimit) {
  config.verify = VerifyConfig{"reference", 1.0, 1e-12};
  config.plugins.policy.deny = {"reference"};
  Result<RunReport> report = go();
  ASSERT_TRUE(report) << to_string(report.error());
  ASSERT_TRUE(report->oracle);
  EXPECT_FALSE(report->verified);
  EXPECT_EQ(report->oracle_limit, 1e-12);
}
#endif

TEST_F(RunTest, JudgesSyntheticDataByAnExactCache) {
  set_format("int8_per_token_head");
  SyntheticWorkload workload;
  workload.prompt_tokens = {17, 0, 5};
  workload.arrival_step = {0, 1, 2};
  workload.decode_steps = 3;
  config.workload = workload;
  config.verify = VerifyConfig{};
  Result<RunReport> report = go();
  ASSERT_TRUE(report) << to_string(report.error());
  EXPECT_TRUE(report->synthetic);
  EXPECT_EQ(report->tokens, 17 + 5 + 3 * 3);
  ASSERT_TRUE(report->exact);
  EXPECT_GT(report->exact->relative_rms, 1e-4);
  EXPECT_LT(report->exact->relative_rms, 0.05);
}

TEST_F(RunTest, NamesARecordingThatDoesNotFitTheModel) {
  config.model.layers[1].q_heads = 8;
  Result<RunReport> report = go();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(to_string(report.error()), HasSubstr("layers.1.q"));
  config.model = small_model();
  config.model.layers.pop_back();
  EXPECT_THAT(to_string(go().error()), HasSubstr("1 layers"));
  config.model.layers.assign(3, config.model.layers[0]);
  EXPECT_THAT(to_string(go().error()), HasSubstr("layers.2.q"));
  write(testing_fakes::safetensors_bytes("{}", {}));
  EXPECT_THAT(to_string(go().error()), HasSubstr("attnrt_recording"));
  write({1, 2, 3});
  EXPECT_EQ(go().error().code, ErrorCode::kInvalid);
  std::remove(path_.c_str());
  EXPECT_THAT(to_string(go().error()), HasSubstr("No such file"));
}

TEST_F(RunTest, SaysWhatNoBackendServesAndWhatWouldWork) {
  set_format("turboquant_k8v4");
  Result<RunReport> report = go();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kNoBackend);
  EXPECT_THAT(report.error().where, HasSubstr("layer 0"));
  EXPECT_THAT(to_string(report.error()), HasSubstr("turboquant_k8v4"));
  EXPECT_THAT(report.error().remedy, HasSubstr("works:"));
}

TEST_F(RunTest, RefusesToBeJudgedByAPluginThatIsNotThere) {
  config.verify = VerifyConfig{"nobody", 1.0, {}};
  config.places["verify.against"] = "test.yaml:9:9";
  Result<RunReport> report = go();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(report.error().where, "test.yaml:9:9");
  EXPECT_THAT(to_string(report.error()), HasSubstr("'nobody'"));
}

TEST_F(RunTest, ReportsProgressFromBeginToEnd) {
  double last = -1;
  int calls = 0;
  Result<RunReport> report =
      run(config, PluginRegistry::scan(config.plugins.search), [&](std::string_view, double part) {
        EXPECT_GE(part, last);
        last = part;
        ++calls;
      });
  ASSERT_TRUE(report) << to_string(report.error());
  EXPECT_GT(calls, 2);
  EXPECT_DOUBLE_EQ(last, 1);
}

}  // namespace
}  // namespace attnrt
