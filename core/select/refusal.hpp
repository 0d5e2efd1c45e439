// Why layers can't be served, and what would help.
#pragma once

#include <vector>

#include "select/layer_classes.hpp"

namespace attnrt {

// One for each class that can't be served and each of its ops that fails where the most are served.
// An alternative serves every op of the layer, and takes nothing away from layers that can be
// served now.
std::vector<Refusal> refusals(const std::vector<LayerClass>& classes, const ModelGeometry& model,
                              const Device& device, const PlanOptions& options,
                              const Catalog& catalog);

}  // namespace attnrt
