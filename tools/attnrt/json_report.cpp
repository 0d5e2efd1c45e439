#include "attnrt/json.hpp"

namespace attnrt::command {
namespace {

Json error_json(const std::optional<ErrorMeasure>& error) {
  if (!error) return nullptr;
  return {{"relative_rms", error->relative_rms},
          {"max_abs", error->max_abs},
          {"values", error->values}};
}

Json latency_json(const Latency& latency) {
  return {{"steps", latency.steps},
          {"p50_us", latency.p50_us},
          {"p90_us", latency.p90_us},
          {"p99_us", latency.p99_us}};
}

// Of recorded data against the model's own output, of synthetic data against exact attention.
void put_exact(Json& json, const std::optional<ErrorMeasure>& exact, bool synthetic) {
  json["error_against_model"] = synthetic ? Json(nullptr) : error_json(exact);
  json["error_against_exact"] = synthetic ? error_json(exact) : Json(nullptr);
}

Json group_json(const GroupReport& group, bool synthetic) {
  Json backends = Json::array();
  for (const OpBackend& backend : group.backends) {
    backends.push_back(
        {{"op", name(backend.op)}, {"plugin", backend.plugin}, {"kernel", backend.kernel}});
  }
  Json json = {{"name", group.name},
               {"layers", group.layers},
               {"backends", std::move(backends)},
               {"kv", name(group.format)},
               {"spelling", group.spelling},
               {"block_size", group.block_size},
               {"layout", name(group.layout)},
               {"error_against_oracle", error_json(group.oracle)},
               {"prefill_us", group.prefill_us},
               {"decode_us", group.decode_us},
               {"prefill_tokens_per_s", group.prefill_tokens_per_s},
               {"decode_tokens_per_s", group.decode_tokens_per_s},
               {"decode_gb_per_s", group.decode_gb_per_s},
               {"kv_bytes_per_token", bytes_json(group.kv_bytes_per_token)}};
  put_exact(json, group.exact, synthetic);
  return json;
}

}  // namespace

Json to_json(const RunReport& report) {
  Json plugins = Json::array();
  for (const PluginUse& plugin : report.plugins) {
    plugins.push_back(
        {{"name", plugin.name}, {"path", plugin.path}, {"description", plugin.description}});
  }
  Json refusals = Json::array();
  for (const Error& error : report.refusals) refusals.push_back(to_json(error));
  Json groups = Json::array();
  for (const GroupReport& group : report.groups)
    groups.push_back(group_json(group, report.synthetic));
  Json json = {{"name", report.name},
               {"model", report.model},
               {"device", report.device},
               {"synthetic", report.synthetic},
               {"sequences", report.sequences},
               {"tokens", report.tokens},
               {"recorded_tokens", report.recorded_tokens},
               {"layers", report.plan.layers.size()},
               {"layers_run", report.layers_run},
               {"plugins", std::move(plugins)},
               {"refusals", std::move(refusals)},
               {"groups", std::move(groups)},
               {"error_against_oracle", error_json(report.oracle)},
               {"oracle_limit", report.oracle_limit},
               {"verified", report.verified},
               {"prefill_tokens_per_s", report.prefill_tokens_per_s},
               {"decode_tokens_per_s", report.decode_tokens_per_s},
               {"decode_gb_per_s", report.decode_gb_per_s},
               {"prefill_latency", latency_json(report.prefill)},
               {"decode_latency", latency_json(report.decode)},
               {"kv_bytes_per_token", bytes_json(report.kv_bytes_per_token)},
               {"seconds", report.seconds}};
  put_exact(json, report.exact, report.synthetic);
  return json;
}

}  // namespace attnrt::command
