#include "select/skip_layers.hpp"

#include <set>

#include "select/plan_classes.hpp"

namespace attnrt {
namespace {

std::set<int32_t> skipped_already(const std::vector<LayerClass>& classes) {
  std::set<int32_t> layers;
  for (const LayerClass& c : classes) {
    if (c.skipped) layers.insert(c.layers.begin(), c.layers.end());
  }
  return layers;
}

std::set<int32_t> failing(const std::vector<Refusal>& refusals) {
  std::set<int32_t> layers;
  for (const Refusal& r : refusals) {
    layers.insert(r.layer);
    layers.insert(r.also_layers.begin(), r.also_layers.end());
  }
  return layers;
}

PlanOptions skipping(const std::set<int32_t>& layers, const PlanOptions& options) {
  PlanOptions changed = options;
  changed.kv_cache.skip_layers.clear();
  for (int32_t layer : layers) {
    changed.kv_cache.skip_layers.push_back({LayerSelector::Kind::kRange, layer, layer});
  }
  return changed;
}

std::optional<Plan> planned(const ModelGeometry& model, const Device& device,
                            const PlanOptions& options, const Catalog& catalog) {
  const auto classes = layer_classes(model, device, options.kv_cache);
  if (!classes) return std::nullopt;
  Result<std::optional<Plan>> plan = plan_classes(*classes, model, device, options, catalog);
  return plan ? *std::move(plan) : std::nullopt;
}

}  // namespace

void add_skipping(std::vector<Refusal>& refusals, const std::vector<LayerClass>& classes,
                  const ModelGeometry& model, const Device& device, const PlanOptions& options,
                  const Catalog& catalog) {
  const std::set<int32_t> before = skipped_already(classes);
  std::set<int32_t> layers = failing(refusals);
  for (int32_t layer : layers) {
    if (before.contains(layer)) return;  // it fails in skip_format
  }
  layers.insert(before.begin(), before.end());
  const auto plan = planned(model, device, skipping(layers, options), catalog);
  if (!plan) return;
  for (Refusal& refusal : refusals) {
    const OpDecision* op = plan->layers[static_cast<size_t>(refusal.layer)].find(refusal.op);
    refusal.skipping = SkipAlternative{{layers.begin(), layers.end()},
                                       op->request,
                                       op->plugin,
                                       op->kernel,
                                       kv_bytes_per_token(op->request)};
  }
}

}  // namespace attnrt
