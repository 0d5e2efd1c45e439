// Facts of the shipped geometries that other tests, the documentation and plans rest on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attnrt/geometry.hpp"

namespace attnrt {
namespace {

ModelGeometry shipped(const std::string& name) {
  Result<ModelGeometry> model = load_geometry(name);
  if (model.ok()) return *std::move(model);
  ADD_FAILURE() << to_string(model.error());
  return {};
}

std::vector<int> full_layers(const ModelGeometry& model) {
  std::vector<int> indices;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    if (model.layers[i].window == 0) indices.push_back(int(i));
  }
  return indices;
}

TEST(ShippedModels, AreAllThere) {
  EXPECT_THAT(
      builtin_geometries(),
      testing::IsSupersetOf({"deepseek-v3", "gemma-3-270m", "gemma-3-4b", "gpt-oss-20b",
                             "llama-3.1-8b", "mistral-7b-v0.1", "qwen3-8b", "smollm2-135m"}));
}

TEST(ShippedModels, FileIsTheNameAndLoadsFromAFolderToo) {
  const std::string folder = std::string(ATTNRT_SOURCE_DIR) + "/configs/models";
  for (const std::string& name : builtin_geometries()) {
    EXPECT_EQ(shipped(name).name, name);
    const Result<ModelGeometry> file = load_geometry(folder + "/" + name + ".yaml");
    ASSERT_TRUE(file.ok()) << to_string(file.error());
    EXPECT_EQ(file->layers, shipped(name).layers);
  }
}

TEST(ShippedModels, Gemma270mHasItsFullLayersAt5And11And17) {
  EXPECT_THAT(full_layers(shipped("gemma-3-270m")), testing::ElementsAre(5, 11, 17));
  EXPECT_EQ(shipped("gemma-3-270m").layers[0].window, 512);
}

TEST(ShippedModels, Gemma4bEndsWithFourLocalLayers) {
  const ModelGeometry model = shipped("gemma-3-4b");
  EXPECT_EQ(model.layers.size(), 34u);
  EXPECT_THAT(full_layers(model), testing::ElementsAre(5, 11, 17, 23, 29));
}

TEST(ShippedModels, GptOssAlternatesWithSinksEverywhere) {
  const ModelGeometry model = shipped("gpt-oss-20b");
  EXPECT_EQ(model.layers.size(), 24u);
  EXPECT_EQ(full_layers(model).size(), 12u);
  EXPECT_EQ(model.layers[0].window, 128);
  for (const LayerGeometry& layer : model.layers) EXPECT_TRUE(layer.sinks);
}

TEST(ShippedModels, DeepseekIsLatent) {
  const ModelGeometry model = shipped("deepseek-v3");
  EXPECT_EQ(model.layers.size(), 61u);
  EXPECT_EQ(model.layers[0].head_dim, (HeadDim{576, 512}));
  EXPECT_EQ(model.layers[0].cache, CacheKind::kLatent);
}

TEST(ShippedModels, FoldersComeBeforeBuiltInNames) {
  const std::string folder = std::string(ATTNRT_SOURCE_DIR) + "/tests/data/models";
  EXPECT_TRUE(load_geometry("qwen3-8b", {folder}).ok()) << "no such .yaml there: the built-in one";
}

}  // namespace
}  // namespace attnrt
