#include <gtest/gtest.h>

#include "attnrt/geometry.hpp"

namespace attnrt {
namespace {

ModelGeometry read(const std::string& layers) {
  Result<ModelGeometry> model =
      parse_geometry("attnrt_model: 1\nname: m\ndtype: bf16\n" + layers, "m.yaml");
  if (model.ok()) return *std::move(model);
  ADD_FAILURE() << to_string(model.error());
  ModelGeometry none;
  none.layers.resize(16);
  return none;
}

TEST(GeometryYaml, PatternsNestAndRepeat) {
  const ModelGeometry model = read(R"(
layer: {head_dim: 8}
layers:
  - repeat: 2
    of:
      - {window: 4}
      - repeat: 2
        of: [{count: 2, sinks: true}]
  - {softcap: 30}
)");
  ASSERT_EQ(model.layers.size(), 11u);
  EXPECT_EQ(model.layers[0].window, 4);
  EXPECT_TRUE(model.layers[4].sinks);
  EXPECT_EQ(model.layers[5].window, 4);
  EXPECT_EQ(model.layers[10].softcap, 30);
}

TEST(GeometryYaml, EveryFieldOfALayerArrives) {
  const ModelGeometry model = read(
      "layers: [{q_heads: 16, kv_heads: 1, head_dim: [576, 512], cache: latent, window: 3,"
      " softmax_scale: 0.5, softcap: 20, sinks: true, alibi: true, mask: prefix_lm}]\nds_mla: "
      "v32\n");
  const LayerGeometry wanted{.q_heads = 16,
                             .kv_heads = 1,
                             .head_dim = {576, 512},
                             .cache = CacheKind::kLatent,
                             .softmax_scale = 0.5f,
                             .window = 3,
                             .softcap = 20,
                             .sinks = true,
                             .alibi = true,
                             .mask = Feature::kPrefixLm};
  EXPECT_EQ(model.layers.at(0), wanted);
  EXPECT_EQ(model.ds_mla, "v32");
}

TEST(GeometryYaml, JsonIsYaml) {
  const Result<ModelGeometry> model = parse_geometry(
      R"({"attnrt_model": 1, "name": "m", "dtype": "f16", "layers": [{"head_dim": 64}]})",
      "m.json");
  ASSERT_TRUE(model.ok()) << to_string(model.error());
  EXPECT_EQ(model->layers[0].head_dim, (HeadDim{64, 64}));
}

}  // namespace
}  // namespace attnrt
