// Why layers can't be served, for people: once for all ops that fail in the same layers.
#include <algorithm>
#include <span>

#include "attnrt/json.hpp"
#include "attnrt/text.hpp"
#include "attnrt/text_table.hpp"

namespace attnrt::command {
namespace {

using Ops = std::span<const Refusal>;  // of the same layers, in the same cell; never empty

std::string ops_text(const std::vector<Op>& ops) {
  std::vector<std::string> names;
  for (Op op : ops) names.emplace_back(name(op));
  return join(names, ", ");
}

std::vector<Op> ops_of(Ops refusals) {
  std::vector<Op> ops;
  for (const Refusal& refusal : refusals) ops.push_back(refusal.op);
  return ops;
}

std::vector<int32_t> layers_of(const Refusal& refusal) {
  std::vector<int32_t> layers{refusal.layer};
  layers.insert(layers.end(), refusal.also_layers.begin(), refusal.also_layers.end());
  std::sort(layers.begin(), layers.end());
  return layers;
}

// "append, prefill, decode on cpu, 1 query token, …": of the last op, which asks for the most.
std::string asked_text(Ops refusals) {
  const Refusal& last = refusals.back();
  const std::string text = request_text(last.request, last.spelling);
  return ops_text(ops_of(refusals)) + text.substr(name(last.op).size());
}

// A rule that a kernel fails, and in which ops.
struct Reason {
  Rule rule;
  std::string asked, allowed;
  std::vector<Op> ops;
};

// The rule `op` asks for something else in every op by its nature; it is one reason still.
std::vector<Reason> reasons_of(Ops refusals, size_t candidate, const Catalog& catalog,
                               const Policy& policy) {
  std::vector<Reason> merged;
  for (const Refusal& refusal : refusals) {
    const Candidate& c = refusal.candidates[candidate];
    for (const FailedRule& rule : reasons(c, refusal.request, catalog, policy, "")) {
      const std::string allowed = allowed_text(rule.allowed);
      const auto same = std::find_if(merged.begin(), merged.end(), [&](const Reason& r) {
        return r.rule == rule.rule && r.allowed == allowed &&
               (rule.rule == Rule::kOp || r.asked == rule.asked);
      });
      if (same == merged.end()) {
        merged.push_back({rule.rule, rule.asked, allowed, {refusal.op}});
      } else {
        same->ops.push_back(refusal.op);
      }
    }
  }
  return merged;
}

std::string reasons_text(Ops refusals, const Catalog& catalog, const Policy& policy) {
  TextTable table({"KERNEL", "RULE", "ASKED", "ALLOWED"});
  for (size_t i = 0; i < refusals.front().candidates.size(); ++i) {
    const Candidate& c = refusals.front().candidates[i];
    std::string who = kernel_text(c.plugin, c.kernel, catalog);
    for (const Reason& reason : reasons_of(refusals, i, catalog, policy)) {
      const bool op = reason.rule == Rule::kOp;
      const bool all = op || reason.ops.size() == refusals.size();
      const std::string rule(name(reason.rule));
      table.add({who, all ? rule : rule + " (" + ops_text(reason.ops) + ")",
                 op ? ops_text(reason.ops) : reason.asked, reason.allowed});
      who.clear();
    }
  }
  return table.to_string();
}

// A change serves all ops of the layer, each perhaps with another kernel.
std::string ways_text(Ops refusals, const Catalog& catalog) {
  TextTable table({"CHANGE", "SERVED BY", ">KV BYTES/TOKEN/LAYER"});
  for (const Alternative& way : refusals.back().alternatives) {
    std::vector<std::pair<Op, std::string>> served;
    for (const Refusal& refusal : refusals) {
      for (const Alternative& a : refusal.alternatives) {
        if (a.change != way.change) continue;
        served.emplace_back(refusal.op, kernel_text(a.plugin, a.kernel, catalog));
      }
    }
    table.add({options_text(way), kernels_text(served), number_text(way.kv_bytes_per_token, 6)});
  }
  return table.to_string();
}

// As YAML takes it: [5, "7-9"].
std::string selectors_text(const std::vector<int32_t>& sorted) {
  std::string text;
  for (size_t first = 0; first < sorted.size();) {
    size_t last = first;
    while (last + 1 < sorted.size() && sorted[last + 1] == sorted[last] + 1) ++last;
    if (!text.empty()) text += ", ";
    text += first == last
                ? std::to_string(sorted[first])
                : "\"" + std::to_string(sorted[first]) + "-" + std::to_string(sorted[last]) + "\"";
    first = last + 1;
  }
  return "[" + text + "]";
}

std::string group_text(Ops refusals, const Catalog& catalog, const Policy& policy) {
  const Refusal& last = refusals.back();
  const std::vector<int32_t> layers = layers_of(last);
  std::string text = "nothing can serve layer" + std::string(layers.size() > 1 ? "s " : " ") +
                     ranges_text(layers) + ": " + asked_text(refusals) + "\n\n" +
                     reasons_text(refusals, catalog, policy);
  if (!last.alternatives.empty()) {
    text += "\nwhat would be served, checked (as options of attnrt select):\n" +
            ways_text(refusals, catalog);
  }
  return text + "\n";
}

}  // namespace

std::string refusals_text(const std::vector<Refusal>& refusals, const Catalog& catalog,
                          const Policy& policy) {
  std::string text;
  for (size_t begin = 0; begin < refusals.size();) {
    size_t end = begin + 1;
    while (end < refusals.size() && refusals[end].layer == refusals[begin].layer) ++end;
    text += group_text({refusals.data() + begin, end - begin}, catalog, policy);
    begin = end;
  }
  if (!refusals.empty() && refusals.front().skipping) {
    text += "the whole model would be served with kv_cache: {skip_layers: " +
            selectors_text(refusals.front().skipping->layers) + "}, checked\n";
  }
  return text;
}

}  // namespace attnrt::command
