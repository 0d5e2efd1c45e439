#include "config/geometry_hf_table.hpp"

#include <array>

namespace attnrt::config {
namespace {

using S = Sliding;

// As in transformers 5's configuration classes.
constexpr std::array kArchitectures{
    Architecture{.name = "Cohere2ForCausalLM",
                 .model_type = "cohere2",
                 .sliding = S::kAllButEveryNth,
                 .window = 4096,
                 .pattern = 4},
    Architecture{.name = "CohereForCausalLM", .model_type = "cohere"},
    Architecture{.name = "DeepseekV2ForCausalLM", .model_type = "deepseek_v2", .latent = true},
    Architecture{.name = "DeepseekV3ForCausalLM", .model_type = "deepseek_v3", .latent = true},
    Architecture{.name = "Gemma2ForCausalLM",
                 .model_type = "gemma2",
                 .sliding = S::kAllButEveryNth,
                 .scale = SoftmaxScale::kQueryScalar,
                 .q_heads = 8,
                 .kv_heads = 4,
                 .head_dim = 256,
                 .window = 4096,
                 .pattern = 2,
                 .softcap = 50,
                 .query_scalar = 256},
    Architecture{.name = "Gemma3ForCausalLM",
                 .model_type = "gemma3_text",
                 .sliding = S::kAllButEveryNth,
                 .scale = SoftmaxScale::kQueryScalar,
                 .q_heads = 8,
                 .kv_heads = 4,
                 .head_dim = 256,
                 .window = 4096,
                 .pattern = 6,
                 .query_scalar = 256},
    Architecture{.name = "Gemma3ForConditionalGeneration",
                 .model_type = "gemma3_text",
                 .sliding = S::kAllButEveryNth,
                 .scale = SoftmaxScale::kQueryScalar,
                 .q_heads = 8,
                 .kv_heads = 4,
                 .head_dim = 256,
                 .window = 4096,
                 .pattern = 6,
                 .query_scalar = 256},
    Architecture{.name = "GemmaForCausalLM",
                 .model_type = "gemma",
                 .q_heads = 16,
                 .kv_heads = 16,
                 .head_dim = 256},
    Architecture{.name = "GptOssForCausalLM",
                 .model_type = "gpt_oss",
                 .sliding = S::kAllButEveryNth,
                 .sinks = true,
                 .head_dim = 64,
                 .window = 128,
                 .pattern = 2},
    Architecture{
        .name = "GraniteForCausalLM", .model_type = "granite", .scale = SoftmaxScale::kMultiplier},
    Architecture{.name = "LlamaForCausalLM", .model_type = "llama"},
    Architecture{.name = "Mistral3ForConditionalGeneration",
                 .model_type = "mistral",
                 .sliding = S::kAll,
                 .window = 4096},
    Architecture{
        .name = "MistralForCausalLM", .model_type = "mistral", .sliding = S::kAll, .window = 4096},
    Architecture{.name = "MixtralForCausalLM", .model_type = "mixtral", .sliding = S::kAll},
    Architecture{.name = "Olmo2ForCausalLM", .model_type = "olmo2"},
    Architecture{.name = "Phi3ForCausalLM", .model_type = "phi3", .sliding = S::kAll},
    Architecture{.name = "PhiForCausalLM", .model_type = "phi"},
    Architecture{.name = "Qwen2ForCausalLM", .model_type = "qwen2", .sliding = S::kFromMaxWindow},
    Architecture{
        .name = "Qwen2MoeForCausalLM", .model_type = "qwen2_moe", .sliding = S::kFromMaxWindow},
    Architecture{.name = "Qwen3ForCausalLM",
                 .model_type = "qwen3",
                 .sliding = S::kFromMaxWindow,
                 .head_dim = 128},
    Architecture{
        .name = "Qwen3MoeForCausalLM", .model_type = "qwen3_moe", .sliding = S::kFromMaxWindow},
    Architecture{
        .name = "SmolLM3ForCausalLM", .model_type = "smollm3", .sliding = S::kFromMaxWindow},
    Architecture{.name = "Starcoder2ForCausalLM", .model_type = "starcoder2", .sliding = S::kAll},
};

}  // namespace

std::span<const Architecture> architectures() {
  return kArchitectures;
}

}  // namespace attnrt::config
