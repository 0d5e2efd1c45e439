#include "attnrt/json.hpp"

namespace attnrt::command {
namespace {

Json decision_json(const LayerPlan& layer, const OpDecision& decision, const Catalog& catalog,
                   const Policy& policy) {
  const std::string kv(name(layer.kv));
  Json json = {{"index", layer.index},
               {"op", name(decision.op)},
               {"kv", kv},
               {"block_size", layer.block_size},
               {"layout", name(layer.layout)},
               {"group", layer.group},
               {"request", to_json(decision.request, layer.spelling)},
               {"resolved", {{"kv", kv}}},
               {"chosen", chosen_json(decision.plugin, decision.kernel, catalog)},
               {"candidates", Json::array()},
               {"alternatives", Json::array()}};
  for (const Candidate& candidate : decision.candidates) {
    json["candidates"].push_back(to_json(candidate, decision.request, catalog, policy, ""));
  }
  return json;
}

Json group_json(const CacheGroup& group) {
  return {{"layers", group.layers},
          {"kv", name(group.page.format)},
          {"cache", name(group.page.cache)},
          {"head_dim", {group.page.head_dim.qk, group.page.head_dim.v}},
          {"kv_heads", group.page.kv_heads},
          {"block_size", group.page.block_size},
          {"layout", name(group.layout)},
          {"window", group.window},
          {"page_bytes", group.page_bytes}};
}

Json skipping_json(const SkipAlternative& way, const Catalog& catalog) {
  return {{"change", {{"skip_layers", way.layers}}},
          {"chosen", chosen_json(way.plugin, way.kernel, catalog)},
          {"kv_bytes_per_token", bytes_json(way.kv_bytes_per_token)}};
}

}  // namespace

Json to_json(const Plan& plan, const Catalog& catalog, const Policy& policy) {
  Json spellings = Json::object();
  Json layers = Json::array();
  for (const LayerPlan& layer : plan.layers) {
    spellings[layer.spelling] = name(layer.kv);
    for (const OpDecision& decision : layer.ops) {
      layers.push_back(decision_json(layer, decision, catalog, policy));
    }
  }
  Json groups = Json::array();
  for (const CacheGroup& group : plan.groups) groups.push_back(group_json(group));
  return {{"model", plan.model},
          {"device", to_string(plan.device)},
          {"q", name(plan.q)},
          {"out", name(plan.out)},
          {"resolved", {{"kv", std::move(spellings)}}},
          {"layers", std::move(layers)},
          {"groups", std::move(groups)},
          {"pool_page_bytes", plan.pool_page_bytes},
          {"kv_bytes_per_token", bytes_json(plan.kv_bytes_per_token)},
          {"padding_bytes_per_token", bytes_json(plan.padding_bytes_per_token)}};
}

Json to_json(const std::vector<Refusal>& refusals, const Catalog& catalog, const Policy& policy) {
  Json layers = Json::array();
  for (const Refusal& refusal : refusals) {
    Json json = {{"index", refusal.layer},
                 {"op", name(refusal.op)},
                 {"also_layers", refusal.also_layers},
                 {"kv", name(refusal.request.kv)},
                 {"block_size", refusal.request.block_size},
                 {"layout", name(refusal.request.layout)},
                 {"request", to_json(refusal.request, refusal.spelling)},
                 {"resolved", {{"kv", name(refusal.request.kv)}}},
                 {"chosen", nullptr},
                 {"candidates", Json::array()},
                 {"alternatives", Json::array()}};
    for (const Candidate& candidate : refusal.candidates) {
      json["candidates"].push_back(to_json(candidate, refusal.request, catalog, policy, ""));
    }
    for (const Alternative& alternative : refusal.alternatives) {
      json["alternatives"].push_back(to_json(alternative, catalog));
    }
    if (refusal.skipping) json["alternatives"].push_back(skipping_json(*refusal.skipping, catalog));
    layers.push_back(std::move(json));
  }
  return {
      {"layers", std::move(layers)}, {"groups", Json::array()}, {"kv_bytes_per_token", nullptr}};
}

}  // namespace attnrt::command
