#include <cmath>

#include "attnrt/json.hpp"

namespace attnrt::command {
namespace {

Json to_json(const FailedRule& rule) {
  return {{"rule", name(rule.rule)}, {"asked", rule.asked}, {"allowed", rule.allowed}};
}

// New values have the type that the request gives them.
Json change_value(const std::string& key, const std::string& value) {
  if (key == "block_size" || key == "alignment") return std::stoi(value);
  return value;
}

}  // namespace

std::vector<std::string> names_of(Features features) {
  std::vector<std::string> names;
  for (int i = 0; i < kFeatureCount; ++i) {
    const auto feature = static_cast<Feature>(i);
    if (features.contains(feature)) names.emplace_back(name(feature));
  }
  return names;
}

Json to_json(const Request& request, const std::string& kv) {
  return {{"device", to_string(request.device)},
          {"op", name(request.op)},
          {"query_tokens", request.query_tokens},
          {"q", name(request.q)},
          {"out", name(request.out.value_or(request.q))},
          {"kv", kv},
          {"cache", name(request.cache)},
          {"head_dim", {request.head_dim.qk, request.head_dim.v}},
          {"q_heads", request.q_heads},
          {"kv_heads", request.kv_heads},
          {"block_size", request.block_size},
          {"layout", name(request.layout)},
          {"tensors", name(request.tensors)},
          {"pages", name(request.pages)},
          {"alignment", request.alignment},
          {"features", names_of(request.features)}};
}

std::vector<FailedRule> reasons(const Candidate& candidate, const Request& request,
                                const Catalog& catalog, const Policy& policy,
                                const std::string& kv) {
  std::vector<FailedRule> rules = explain(candidate, request, catalog, policy);
  for (FailedRule& rule : rules) {
    if (rule.rule == Rule::kKv && !kv.empty()) rule.asked = kv;
  }
  return rules;
}

Json chosen_json(uint32_t plugin, uint32_t kernel, const Catalog& catalog) {
  const Manifest& manifest = catalog.entries()[plugin].manifest;
  return {{"plugin", manifest.name}, {"kernel", manifest.kernels[kernel].name}};
}

Json to_json(const Candidate& candidate, const Request& request, const Catalog& catalog,
             const Policy& policy, const std::string& kv) {
  Json json = chosen_json(candidate.plugin, candidate.kernel, catalog);
  json["accepted"] = candidate.accepted();
  json["failed"] = Json::array();
  for (const FailedRule& rule : reasons(candidate, request, catalog, policy, kv)) {
    json["failed"].push_back(to_json(rule));
  }
  return json;
}

Json to_json(const Alternative& alternative, const Catalog& catalog) {
  Json change = Json::object();
  for (const auto& [key, value] : alternative.change) change[key] = change_value(key, value);
  return {{"change", std::move(change)},
          {"chosen", chosen_json(alternative.plugin, alternative.kernel, catalog)},
          {"kv_bytes_per_token", bytes_json(alternative.kv_bytes_per_token)}};
}

Json to_json(const Error& error) {
  return {{"code", static_cast<int32_t>(error.code)},
          {"where", error.where},
          {"expected", error.expected},
          {"found", error.found},
          {"remedy", error.remedy},
          {"text", to_string(error)}};
}

Json bytes_json(double bytes) {
  constexpr double kExact = 9007199254740992;  // 2^53: all whole numbers below are doubles
  if (std::abs(bytes) < kExact && bytes == std::floor(bytes)) return static_cast<int64_t>(bytes);
  return bytes;
}

std::string dump(const Json& json) {
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace attnrt::command
