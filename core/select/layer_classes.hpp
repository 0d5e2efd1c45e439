// Layers that are planned alike: the same geometry and the same spelling of the format.
#pragma once

#include <vector>

#include "attnrt/plan.hpp"

namespace attnrt {

struct LayerClass {
  LayerGeometry geometry;
  bool skipped = false;  // named by skip_layers
  Spelling spelling;
  std::vector<Format> formats;  // what the spelling stands for, preferred first
  std::vector<int32_t> layers;
};

// In order of their first layers. Errors (kInvalid) name the layer or the option.
Result<std::vector<LayerClass>> layer_classes(const ModelGeometry& model, const Device& device,
                                              const KvCacheOptions& options);

// The request of a class for one op; format, block size and layout are the cell's.
Request op_request(const LayerClass& layer_class, Op op, const ModelGeometry& model,
                   const Device& device, const PlanOptions& options);

}  // namespace attnrt
