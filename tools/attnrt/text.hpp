// Decisions, plans and reports as text for people.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "attnrt/plan.hpp"
#include "attnrt/run.hpp"
#include "attnrt/select.hpp"

namespace attnrt::command {

// "decode on cpu, 1 query token, q bf16, kv nvfp4 (nvfp4_linear), 32/8 heads of 128, block 16, …"
std::string request_text(const Request& request, const std::string& kv);

// "cpu paged_decode"
std::string kernel_text(uint32_t plugin, uint32_t kernel, const Catalog& catalog);
// The same of several ops: "cpu attend" where one kernel serves them all, else "cpu append
// (append), cpu attend (prefill, decode)".
std::string kernels_text(const std::vector<std::pair<Op, std::string>>& served);
// What a rule allows; of long lists the beginning and the length.
std::string allowed_text(const std::vector<std::string>& allowed);

// An alternative as options of `attnrt select`: "--kv fp8_e4m3 --block 32"
std::string options_text(const Alternative& alternative);

// Every candidate with all its failed rules, aligned. `kv`: as written, "" where it is the format.
std::string candidates_text(const std::vector<Candidate>& candidates, const Request& request,
                            const Catalog& catalog, const Policy& policy, const std::string& kv);
std::string alternatives_text(const std::vector<Alternative>& alternatives, const Catalog& catalog);

std::string plan_text(const Plan& plan, const Catalog& catalog);
std::string refusals_text(const std::vector<Refusal>& refusals, const Catalog& catalog,
                          const Policy& policy);
std::string reports_text(const std::vector<RunReport>& reports);

}  // namespace attnrt::command
