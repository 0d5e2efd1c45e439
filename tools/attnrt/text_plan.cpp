#include <algorithm>
#include <map>

#include "attnrt/text.hpp"
#include "attnrt/text_table.hpp"

namespace attnrt::command {
namespace {

// "cpu attend" where one kernel serves all ops; else "cpu append (append), cpu attend (prefill,
// …)".
std::string backends_text(const LayerPlan& layer, const Catalog& catalog) {
  std::vector<std::pair<std::string, std::vector<std::string>>> kernels;
  for (const OpDecision& decision : layer.ops) {
    const Manifest& manifest = catalog.entries()[decision.plugin].manifest;
    const std::string kernel = manifest.name + " " + manifest.kernels[decision.kernel].name;
    auto same = [&](const auto& entry) { return entry.first == kernel; };
    auto it = std::find_if(kernels.begin(), kernels.end(), same);
    if (it == kernels.end()) it = kernels.insert(it, {kernel, {}});
    it->second.emplace_back(name(decision.op));
  }
  std::vector<std::string> parts;
  for (const auto& [kernel, ops] : kernels) {
    parts.push_back(kernels.size() == 1 ? kernel : kernel + " (" + join(ops, ", ") + ")");
  }
  const bool split = layer.find(Op::kMixed) == nullptr;
  return join(parts, ", ") + (split ? "; mixed batches are split" : "");
}

// Layers that agree in everything that a plan decides make one row.
using Row = std::vector<std::string>;

Row row_of(const LayerPlan& layer, const Plan& plan, const Catalog& catalog) {
  const std::string format(name(layer.kv));
  const std::string kv = layer.spelling == format ? format : layer.spelling + " = " + format;
  const int32_t window = layer.geometry.window;
  Row row{window == 0 ? "full" : "window " + std::to_string(window), kv,
          std::to_string(layer.block_size), std::string(name(layer.layout)),
          bytes_text(plan.groups[layer.group].page_bytes)};
  row.push_back(backends_text(layer, catalog));
  return row;
}

}  // namespace

std::string plan_text(const Plan& plan, const Catalog& catalog) {
  std::vector<Row> order;
  std::map<Row, std::vector<int32_t>> layers;
  for (const LayerPlan& layer : plan.layers) {
    Row row = row_of(layer, plan, catalog);
    auto& list = layers[row];
    if (list.empty()) order.push_back(row);
    list.push_back(layer.index);
  }
  TextTable table({"LAYERS", "ATTENTION", "KV FORMAT", ">BLOCK", "LAYOUT", ">PAGE", "SERVED BY"});
  for (const Row& key : order) {
    Row row{ranges_text(layers[key])};
    row.insert(row.end(), key.begin(), key.end());
    table.add(std::move(row));
  }
  std::string text = plan.model + " on " + to_string(plan.device) + ": q " +
                     std::string(name(plan.q)) + ", out " + std::string(name(plan.out)) + "\n\n" +
                     table.to_string() + "\n" + number_text(plan.kv_bytes_per_token, 8) +
                     " KV bytes a token";
  if (plan.padding_bytes_per_token > 0) {
    text += ", " + number_text(plan.padding_bytes_per_token, 8) + " of them padding";
  }
  return text + "; the pool's page is " + bytes_text(plan.pool_page_bytes) + "\n";
}

namespace {

// Items of skip_layers, as YAML takes them: 5, "7-9".
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
  return text;
}

}  // namespace

std::string refusals_text(const std::vector<Refusal>& refusals, const Catalog& catalog,
                          const Policy& policy) {
  std::string text;
  for (const Refusal& refusal : refusals) {
    std::vector<int32_t> layers{refusal.layer};
    layers.insert(layers.end(), refusal.also_layers.begin(), refusal.also_layers.end());
    std::sort(layers.begin(), layers.end());
    text += "nothing can serve layer" + std::string(layers.size() > 1 ? "s " : " ") +
            ranges_text(layers) + ": " + request_text(refusal.request, refusal.spelling) + "\n\n";
    text += candidates_text(refusal.candidates, refusal.request, catalog, policy, "");
    if (!refusal.alternatives.empty()) {
      text += "\nwhat would be served, checked (as options of attnrt select):\n" +
              alternatives_text(refusal.alternatives, catalog);
    }
    if (refusal.skipping_helps) {
      text += "\nor keep skip_format there too: add to kv_cache.skip_layers: [" +
              selectors_text(layers) + "]\n";
    }
    text += "\n";
  }
  return text;
}

}  // namespace attnrt::command
