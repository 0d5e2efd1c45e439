// Planning of a case: which kernel would be measured, or why none.
#include <algorithm>
#include <cmath>

#include "attnrt/run.hpp"
#include "bench/case.hpp"
#include "bench/case_model.hpp"

namespace attnrt::bench {
namespace {

// Beyond these a session would rather be about its own tables than about attention.
constexpr int32_t kMostLayers = 64;
constexpr int32_t kMostBatches = 1024;

const OpDecision& measured_op(const Plan& plan, Op op) {
  return *plan.layers.front().find(op);
}

bool served_by(const Plan& plan, Op op, const std::string& backend, const Catalog& catalog) {
  return catalog.entries()[measured_op(plan, op).plugin].manifest.name == backend;
}

// The backend wherever it can serve: one that only attends leaves append to others.
Result<Plan> plan_preferring(const RunConfig& config, Op op, const std::string& backend,
                             const Catalog& catalog) {
  RunConfig preferring = config;
  preferring.plugins.per_device.clear();
  preferring.plugins.policy = config.plugins.policy_for(config.device.kind);
  preferring.plugins.policy.require.clear();
  preferring.plugins.policy.prefer = {backend};
  if (Result<Plan> plan = plan_run(preferring, catalog);
      plan.ok() && served_by(*plan, op, backend, catalog)) {
    return plan;
  }
  // Not so: what stands against it says the plan that may take nothing else.
  preferring.plugins.policy.prefer.clear();
  preferring.plugins.policy.require = backend;
  return plan_run(preferring, catalog);
}

}  // namespace

RunConfig model_of(const CaseOptions& options, int32_t layers) {
  const BenchShape& shape = options.shape;
  LayerGeometry layer;
  layer.q_heads = shape.q_heads;
  layer.kv_heads = shape.kv_heads;
  layer.head_dim = shape.head_dim;
  layer.cache = cache_kind(shape, options.format);
  RunConfig config;
  config.model.name = shape.name;
  config.model.dtype = query_dtype(options.format);
  config.model.layers.assign(static_cast<size_t>(layers), layer);
  config.device = options.device;
  config.kv_cache.format = options.format;
  config.kv_cache.skip_format = options.format;  // so that skipping the layer is no way out
  config.kv_cache.block_size = shape.block_size;
  config.kv_cache.layout = options.layout;
  config.decode_query_tokens = shape.op == Op::kDecode ? shape.q_len : 1;
  config.plugins = options.plugins;
  return config;
}

Result<Plan> plan_layers(const CaseOptions& options, int32_t layers, const Catalog& catalog) {
  const RunConfig config = model_of(options, layers);
  return options.backend.empty()
             ? plan_run(config, catalog)
             : plan_preferring(config, options.shape.op, options.backend, catalog);
}

CasePlan case_plan(const CaseOptions& options, const Plan& plan, const Catalog& catalog) {
  const LayerPlan& layer = plan.layers.front();
  const OpDecision& decision = measured_op(plan, options.shape.op);
  const Manifest& manifest = catalog.entries()[decision.plugin].manifest;
  CasePlan result;
  result.kv = layer.kv;
  result.cache = layer.geometry.cache;
  result.q = plan.q;
  result.block_size = layer.block_size;
  result.layout = layer.layout;
  result.plugin = manifest.name;
  result.version = manifest.version;
  result.kernel = manifest.kernels[decision.kernel].name;
  result.request = decision.request;
  return result;
}

Result<CasePlan> plan_case(const CaseOptions& options, const Catalog& catalog) {
  Result<Plan> plan = plan_layers(options, 1, catalog);
  if (plan.ok()) return case_plan(options, *plan, catalog);
  Error error = std::move(plan).error();
  const std::string who = options.backend.empty() ? "" : " on " + options.backend;
  error.where = options.shape.where + ": " + options.shape.name + ", " + options.format.text + who;
  return error;
}

Copies copies_for(double kv_bytes, int64_t walked_bytes) {
  const double wanted =
      std::ceil(std::max(1.0, static_cast<double>(walked_bytes) / std::max(kv_bytes, 1.0)));
  Copies copies;
  copies.layers = static_cast<int32_t>(std::min<double>(wanted, kMostLayers));
  copies.batches =
      static_cast<int32_t>(std::min<double>(std::ceil(wanted / copies.layers), kMostBatches));
  return copies;
}

}  // namespace attnrt::bench
