// Skipping more layers as a way out of refusals.
#pragma once

#include <vector>

#include "select/layer_classes.hpp"

namespace attnrt {

// Puts the way out into every refusal, if there is one: all layers that fail join those that are
// skipped already, and the model is planned so, whole, before that is named. classes: of the
// options as they are.
void add_skipping(std::vector<Refusal>& refusals, const std::vector<LayerClass>& classes,
                  const ModelGeometry& model, const Device& device, const PlanOptions& options,
                  const Catalog& catalog);

}  // namespace attnrt
