// The joint plan of layers that stand in classes already.
#pragma once

#include <optional>
#include <vector>

#include "select/layer_classes.hpp"

namespace attnrt {

// None where a class can't be served: refusals() says why. Error (kNoBackend): served, but in a
// format whose bytes are not known, so that no pool can be planned. Precondition: sound options.
Result<std::optional<Plan>> plan_classes(const std::vector<LayerClass>& classes,
                                         const ModelGeometry& model, const Device& device,
                                         const PlanOptions& options, const Catalog& catalog);

}  // namespace attnrt
