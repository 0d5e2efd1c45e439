// Decisions, plans and reports as JSON. Keys stand in the order in which they were put.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "attnrt/plan.hpp"
#include "attnrt/run.hpp"
#include "attnrt/select.hpp"

namespace attnrt::command {

using Json = nlohmann::ordered_json;

std::vector<std::string> names_of(Features features);

// `kv`: as written ("nvfp4"), where that differs from the canonical name.
Json to_json(const Request& request, const std::string& kv);
Json to_json(const Candidate& candidate, const Request& request, const Catalog& catalog,
             const Policy& policy, const std::string& kv);
Json to_json(const Alternative& alternative, const Catalog& catalog);
// {"plugin": …, "kernel": …}
Json chosen_json(uint32_t plugin, uint32_t kernel, const Catalog& catalog);
// The reasons of a candidate, with the KV format as it was written.
std::vector<FailedRule> reasons(const Candidate& candidate, const Request& request,
                                const Catalog& catalog, const Policy& policy,
                                const std::string& kv);

Json to_json(const Plan& plan, const Catalog& catalog, const Policy& policy);
Json to_json(const std::vector<Refusal>& refusals, const Catalog& catalog, const Policy& policy);
Json to_json(const RunReport& report);
Json to_json(const Error& error);

// Bytes are whole numbers nearly always, and then written as such: 576, not 576.0.
Json bytes_json(double bytes);

// Two spaces, ASCII: control characters are escaped with all the rest, and bytes that are no UTF-8
// replaced.
std::string dump(const Json& json);

}  // namespace attnrt::command
