// Published config.json files, read directly, are the geometries of configs/models/.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "attnrt/geometry.hpp"

namespace attnrt {
namespace {

ModelGeometry read(const std::string& json) {
  Result<ModelGeometry> model = parse_hf_config(json, "config.json");
  if (model.ok()) return *std::move(model);
  ADD_FAILURE() << to_string(model.error());
  ModelGeometry none;
  none.layers.resize(64);
  return none;
}

class PublishedConfig : public testing::TestWithParam<std::string> {};

TEST_P(PublishedConfig, IsTheShippedGeometry) {
  const std::string folder = std::string(ATTNRT_SOURCE_DIR) + "/tests/data/models/" + GetParam();
  const Result<ModelGeometry> published = load_geometry(folder);
  ASSERT_TRUE(published.ok()) << to_string(published.error());
  const Result<ModelGeometry> shipped = load_geometry(GetParam());
  ASSERT_TRUE(shipped.ok()) << to_string(shipped.error());
  EXPECT_EQ(published->name, shipped->name);
  EXPECT_EQ(published->dtype, shipped->dtype);
  ASSERT_EQ(published->layers.size(), shipped->layers.size());
  for (size_t i = 0; i < shipped->layers.size(); ++i) {
    LayerGeometry layer = published->layers[i];
    EXPECT_FLOAT_EQ(layer.softmax_scale, shipped->layers[i].softmax_scale);
    layer.softmax_scale = shipped->layers[i].softmax_scale;
    EXPECT_EQ(layer, shipped->layers[i]) << "layer " << i;
  }
}
INSTANTIATE_TEST_SUITE_P(All, PublishedConfig, testing::ValuesIn(builtin_geometries()),
                         [](const auto& p) {
                           std::string name = p.param;
                           for (char& c : name) c = std::isalnum(c) ? c : '_';
                           return name;
                         });

TEST(HfConfig, TabsAndCompactJsonAreRead) {
  EXPECT_EQ(read("{\n\t\"model_type\":\"llama\",\n\t\"dtype\":\"float16\",\"num_hidden_layers\":1,"
                 "\"num_attention_heads\":4,\"hidden_size\":64}")
                .layers[0]
                .head_dim,
            (HeadDim{16, 16}));
}

TEST(HfConfig, WithoutKvHeadsEveryQueryHeadHasOne) {
  const ModelGeometry phi = read(R"({"architectures": ["PhiForCausalLM"], "model_type": "phi",
      "torch_dtype": "float16", "num_hidden_layers": 32, "num_attention_heads": 32,
      "num_key_value_heads": null, "hidden_size": 2560})");
  EXPECT_EQ(phi.layers[0].kv_heads, 32);
  EXPECT_EQ(phi.layers[0].head_dim.qk, 80);
}

TEST(HfConfig, Gemma2AlternatesAndCaps) {
  const ModelGeometry gemma = read(R"({"architectures": ["Gemma2ForCausalLM"],
      "model_type": "gemma2", "torch_dtype": "float32", "num_hidden_layers": 42,
      "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 256,
      "query_pre_attn_scalar": 224, "sliding_window": 4096, "attn_logit_softcapping": 50.0})");
  EXPECT_EQ(gemma.dtype, DType::kF32);
  EXPECT_EQ(gemma.layers[0].window, 4096);
  EXPECT_EQ(gemma.layers[1].window, 0);
  EXPECT_FLOAT_EQ(gemma.layers[0].softcap, 50);
  EXPECT_FLOAT_EQ(gemma.layers[0].softmax_scale, float(1 / std::sqrt(224.0)));
}

TEST(HfConfig, AbsentAndNullWindowsDiffer) {
  const std::string head = R"({"model_type": "mistral", "dtype": "bfloat16", "num_hidden_layers": 1,
      "num_attention_heads": 4, "head_dim": 64)";
  EXPECT_EQ(read(head + "}").layers[0].window, 4096) << "the class's default";
  EXPECT_EQ(read(head + ", \"sliding_window\": null}").layers[0].window, 0) << "v0.3: none";
}

TEST(HfConfig, QwenSlidesFromMaxWindowLayersOn) {
  const ModelGeometry qwen = read(R"({"model_type": "qwen2", "torch_dtype": "bfloat16",
      "num_hidden_layers": 4, "num_attention_heads": 4, "hidden_size": 256,
      "use_sliding_window": true, "sliding_window": 32, "max_window_layers": 3})");
  EXPECT_EQ(qwen.layers[2].window, 0);
  EXPECT_EQ(qwen.layers[3].window, 32);
}

TEST(HfConfig, GraniteGivesItsScale) {
  EXPECT_FLOAT_EQ(read(R"({"model_type": "granite", "torch_dtype": "bfloat16",
      "num_hidden_layers": 1, "num_attention_heads": 4, "hidden_size": 256,
      "attention_multiplier": 0.015625})")
                      .layers[0]
                      .softmax_scale,
                  0.015625f);
}

TEST(HfConfig, DeepseekWithoutYarnScalesByTheUnabsorbedHead) {
  const ModelGeometry model = read(R"({"model_type": "deepseek_v2", "torch_dtype": "bfloat16",
      "num_hidden_layers": 1, "num_attention_heads": 16, "kv_lora_rank": 512,
      "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "rope_scaling": null})");
  EXPECT_FLOAT_EQ(model.layers[0].softmax_scale, float(1 / std::sqrt(192.0)));
  EXPECT_EQ(model.layers[0].cache, CacheKind::kLatent);
}

TEST(HfConfig, ArchitecturesAreSortedForMessages) {
  const std::vector<std::string> names = known_architectures();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
}

}  // namespace
}  // namespace attnrt
