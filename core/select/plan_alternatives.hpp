// Alternatives of a plan's layer: changes to the plan's options that make all of its ops work.
#pragma once

#include <vector>

#include "select/change.hpp"
#include "select/class_server.hpp"

namespace attnrt {

struct PlanAlternative {
  Change change;
  Cell cell;        // for the refused layer
  Request request;  // of its decode, changed
};

// What of a change stands in the options beside the cell and the device.
PlanOptions with(const PlanOptions& options, const Change& change);

// For classes[refused]. At most eight, smallest first.
std::vector<PlanAlternative> plan_alternatives(const std::vector<LayerClass>& classes,
                                               size_t refused, const ModelGeometry& model,
                                               const Device& device, const PlanOptions& options,
                                               const Catalog& catalog);

}  // namespace attnrt
