// Geometries that must be refused, ours and Hugging Face's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attnrt/geometry.hpp"

namespace attnrt {
namespace {

struct Bad {
  const char* name;
  const char* text;
  const char* message;
  friend std::ostream& operator<<(std::ostream& out, const Bad& bad) { return out << bad.name; }
};

class RefusedGeometry : public testing::TestWithParam<Bad> {};
TEST_P(RefusedGeometry, SaysWhereAndWhat) {
  const Result<ModelGeometry> model = parse_geometry(GetParam().text, "m.yaml");
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(to_string(model.error()), testing::HasSubstr(GetParam().message));
}
#define HEAD "attnrt_model: 1\nname: m\ndtype: bf16\n"
const Bad kYaml[] = {
    {"empty", "", "expected a model's geometry (attnrt_model: 1), found no attnrt_model"},
    {"other_version", "attnrt_model: 2\n",
     "m.yaml:1:15: expected an integer from 1 to 1, found '2'"},
    {"no_dtype", "attnrt_model: 1\nname: m\nlayers: [{head_dim: 8}]\n",
     "m.yaml:1:1: expected the model's dtype"},
    {"bad_dtype", "attnrt_model: 1\nname: m\ndtype: bf17\nlayers: [{head_dim: 8}]\n",
     "m.yaml:3:8: expected"},
    {"no_name", "attnrt_model: 1\ndtype: bf16\nlayers: [{head_dim: 8}]\n",
     "m.yaml:1:1: expected the model's name, found no 'name'"},
    {"no_layers", HEAD, "m.yaml:1:1: expected the model's layers, found no 'layers'"},
    {"empty_layers", HEAD "layers: []\n", "m.yaml:4:9: expected a list of layers, found a list"},
    {"layer_is_text", HEAD "layers: [full]\n",
     "m.yaml:4:10: expected a mapping (key: value) for a layer, found 'full'"},
    {"no_head_dim", HEAD "layers: [{q_heads: 2}]\n",
     "m.yaml:4:10: expected a head size (head_dim), found none"},
    {"heads", HEAD "layers: [{q_heads: 9, kv_heads: 2, head_dim: 8}]\n",
     "m.yaml:4:10: expected query heads that are a multiple of the KV heads, found 9 query heads "
     "over 2 KV heads"},
    {"three_head_dims", HEAD "layers: [{head_dim: [1, 2, 3]}]\n",
     "m.yaml:4:21: expected a head size: N, or [N of q and k, N of v], found a list"},
    {"latent_heads", HEAD "layers: [{q_heads: 4, kv_heads: 2, head_dim: [8, 4], cache: latent}]\n",
     "expected one KV head with a latent cache, found 2"},
    {"latent_dims", HEAD "layers: [{head_dim: [4, 8], cache: latent}]\n",
     "expected V within the latent: head_dim [qk, v] with v <= qk, found [4, 8]"},
    {"cache", HEAD "layers: [{head_dim: 8, cache: paged}]\n", "m.yaml:4:31: expected"},
    {"mask", HEAD "layers: [{head_dim: 8, mask: window}]\n",
     "m.yaml:4:30: expected causal, non_causal, cross, tree_mask or prefix_lm, found 'window'"},
    {"window", HEAD "layers: [{head_dim: 8, window: -4}]\n",
     "m.yaml:4:32: expected an integer from 0"},
    {"scale", HEAD "layers: [{head_dim: 8, softmax_scale: 0}]\n",
     "m.yaml:4:39: expected a number from 1e-06"},
    {"scale_nan", HEAD "layers: [{head_dim: 8, softmax_scale: nan}]\n",
     "m.yaml:4:39: expected a number"},
    {"sinks", HEAD "layers: [{head_dim: 8, sinks: 1}]\n",
     "m.yaml:4:31: expected true or false, found '1'"},
    {"unknown", HEAD "layers: [{head_dims: 8}]\n", "m.yaml:4:11: expected a key of a layer"},
    {"unknown_in_pattern", HEAD "layers: [{repeat: 2, of: [{head_dim: 8}], window: 3}]\n",
     "m.yaml:4:43: expected a key of a layer (of, repeat), found 'window'"},
    {"many", HEAD "layers: [{repeat: 4096, of: [{count: 4096, head_dim: 8}]}]\n",
     "expected at most 4096 layers, found more"},
    {"ds_mla", HEAD "ds_mla: v5\nlayers: [{head_dim: 8}]\n",
     "m.yaml:4:9: expected v32, v4 or v41, found 'v5'"},
};
INSTANTIATE_TEST_SUITE_P(Yaml, RefusedGeometry, testing::ValuesIn(kYaml),
                         [](const auto& p) { return p.param.name; });

class RefusedConfigJson : public testing::TestWithParam<Bad> {};
TEST_P(RefusedConfigJson, SaysWhereAndWhat) {
  const Result<ModelGeometry> model = parse_hf_config(GetParam().text, "config.json");
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(to_string(model.error()), testing::HasSubstr(GetParam().message));
}
#define LLAMA \
  R"("architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "bfloat16",)"
const Bad kJson[] = {
    {"empty", "", "expected a model's config.json (an object), found nothing"},
    {"list", "[]", "config.json:1:1: expected a model's config.json (an object), found a list"},
    {"cut_off", R"({"architectures": [)", "expected YAML or JSON"},
    {"nothing_known", "{}",
     "config.json:1:1: expected a model's config.json with 'architectures' or 'model_type', found "
     "neither of them"},
    {"architecture", R"({"architectures": ["LLamaForCausalLM"]})",
     "config.json:1:20: expected a known architecture (Cohere2ForCausalLM,"},
    {"architecture_near", R"({"architectures": ["LLamaForCausalLM"]})",
     "nearest: 'LlamaForCausalLM'"},
    {"model_type", R"({"model_type": "mamba"})", "config.json:1:16: expected a known architecture"},
    {"type_contradicts", R"({"architectures": ["LlamaForCausalLM"], "model_type": "mistral"})",
     "config.json:1:55: expected model_type 'llama' of LlamaForCausalLM, found 'mistral'; the file "
     "contradicts itself"},
    {"no_dtype", R"({"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2})",
     "expected the dtype of the model, found neither 'dtype' nor 'torch_dtype'"},
    {"dtype", R"({"architectures": ["LlamaForCausalLM"], "torch_dtype": "int3"})",
     "config.json:1:56: expected"},
    {"no_layers", "{" LLAMA R"("num_attention_heads": 4})",
     "expected the key num_hidden_layers, found none"},
    {"layers_text", "{" LLAMA R"("num_hidden_layers": "2"})",
     "expected an integer from 1 to 4096, found '2'"},
    {"no_heads", "{" LLAMA R"("num_hidden_layers": 2})",
     "expected the key num_attention_heads, found none"},
    {"hidden", "{" LLAMA R"("num_hidden_layers": 2, "num_attention_heads": 3, "hidden_size": 64})",
     "expected head_dim, or a hidden_size that is a multiple of num_attention_heads, found 64 over "
     "3 heads"},
    {"no_hidden", "{" LLAMA R"("num_hidden_layers": 2, "num_attention_heads": 3})",
     "expected the key hidden_size, found none"},
    {"kv_heads",
     "{" LLAMA
     R"("num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 3, "head_dim": 8})",
     "expected query heads that are a multiple of the KV heads, found 4 query heads over 3 KV "
     "heads"},
    {"layer_types_short",
     "{" LLAMA
     R"("num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 8, "layer_types": ["full_attention"]})",
     "expected 2 layer_types (num_hidden_layers), found 1; the file contradicts itself"},
    {"layer_type",
     "{" LLAMA
     R"("num_hidden_layers": 1, "num_attention_heads": 4, "head_dim": 8, "layer_types": ["linear_attention"]})",
     "expected sliding_attention or full_attention, found 'linear_attention'"},
    {"sliding_without_window",
     "{" LLAMA
     R"("num_hidden_layers": 1, "num_attention_heads": 4, "head_dim": 8, "layer_types": ["sliding_attention"]})",
     "expected a sliding_window for the sliding layers, found none"},
    {"pattern_contradicts",
     R"({"model_type": "gemma3_text", "dtype": "bfloat16", "num_hidden_layers": 2, "sliding_window_pattern": 2,
        "layer_types": ["full_attention", "full_attention"]})",
     "config.json:2:25: expected sliding_attention, as the file's own rule says, found "
     "'full_attention'"},
    {"sliding_switched_off",
     R"({"model_type": "qwen3", "dtype": "bfloat16", "num_hidden_layers": 1, "num_attention_heads": 2, "use_sliding_window": false,
        "sliding_window": 8, "layer_types": ["sliding_attention"]})",
     "expected full_attention, as the file's own rule says"},
    {"no_max_window_layers",
     R"({"model_type": "qwen3", "dtype": "bfloat16", "num_hidden_layers": 1, "num_attention_heads": 2,
        "use_sliding_window": true, "sliding_window": 8})",
     "expected max_window_layers or layer_types, found neither of them"},
    {"latent_without_rank",
     R"({"model_type": "deepseek_v3", "dtype": "bfloat16", "num_hidden_layers": 1, "num_attention_heads": 2})",
     "expected the key kv_lora_rank, found none"},
    {"sparse", R"({"model_type": "deepseek_v3", "dtype": "bfloat16", "index_topk": 2048})",
     "expected dense attention, found sparse (index_topk)"},
    {"bidirectional", R"({"model_type": "gemma3_text", "use_bidirectional_attention": true})",
     "expected causal attention, found use_bidirectional_attention"},
};
INSTANTIATE_TEST_SUITE_P(Json, RefusedConfigJson, testing::ValuesIn(kJson),
                         [](const auto& p) { return p.param.name; });

TEST(LoadGeometry, UnknownNamesListTheKnownOnes) {
  const Result<ModelGeometry> model = load_geometry("qwen3-9b");
  ASSERT_FALSE(model.ok());
  for (const std::string& name : builtin_geometries()) {
    EXPECT_THAT(model.error().expected, testing::HasSubstr(name));
  }
  EXPECT_THAT(model.error().remedy, testing::StartsWith("nearest: 'qwen3-8b'"));
}

}  // namespace
}  // namespace attnrt
