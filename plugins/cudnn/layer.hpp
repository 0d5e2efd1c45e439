// A layer class checked against the support table.
#pragma once

#include <string_view>

#include "graph.hpp"
#include "support.hpp"

namespace attnrt::cudnn {

struct Layer {
  int32_t op;
  int32_t dtype;
  uint64_t features;
  LayerShape shape;

  [[nodiscard]] bool has(uint64_t feature) const { return (features & feature) != 0; }
};

// Throws PluginError: ATTNRT_UNSUPPORTED for what the manifest does not list, naming it.
Layer make_layer(std::string_view kernel, const attnrt_layer_class& c);

}  // namespace attnrt::cudnn
