// What a Hugging Face config.json leaves unsaid: how each architecture reads its keys, and the
// defaults of its configuration class for keys that are absent.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace attnrt::config {

// Which layers slide when the file has no layer_types.
enum class Sliding : uint8_t {
  kNever,
  kAll,             // every layer, if sliding_window is given
  kFromMaxWindow,   // use_sliding_window: layers from max_window_layers on
  kAllButEveryNth,  // all but every sliding_window_pattern-th
};

enum class SoftmaxScale : uint8_t {
  kHeadDim,      // 1 / sqrt(head_dim)
  kQueryScalar,  // 1 / sqrt(query_pre_attn_scalar)
  kMultiplier,   // attention_multiplier
};

struct Architecture {
  std::string_view name;
  std::string_view model_type;  // of the (text) configuration
  Sliding sliding = Sliding::kNever;
  SoftmaxScale scale = SoftmaxScale::kHeadDim;
  bool sinks = false;
  bool latent = false;  // multi-head latent attention
  // 0: the file must say. Class defaults of the architecture's configuration.
  int32_t q_heads = 0;
  int32_t kv_heads = 0;
  int32_t head_dim = 0;  // 0: hidden_size / heads
  int32_t window = 0;
  int32_t pattern = 0;
  double softcap = 0;
  double query_scalar = 0;
};

std::span<const Architecture> architectures();  // sorted by name

}  // namespace attnrt::config
