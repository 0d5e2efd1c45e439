#include <map>

#include "attnrt/text.hpp"
#include "attnrt/text_table.hpp"

namespace attnrt::command {
namespace {

std::string backends_text(const LayerPlan& layer, const Catalog& catalog) {
  std::vector<std::pair<Op, std::string>> served;
  for (const OpDecision& decision : layer.ops) {
    served.emplace_back(decision.op, kernel_text(decision.plugin, decision.kernel, catalog));
  }
  const bool split = layer.find(Op::kMixed) == nullptr;
  return kernels_text(served) + (split ? "; mixed batches are split" : "");
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
  std::string text = printable(plan.model) + " on " + to_string(plan.device) + ": q " +
                     std::string(name(plan.q)) + ", out " + std::string(name(plan.out)) + "\n\n" +
                     table.to_string() + "\n" + number_text(plan.kv_bytes_per_token, 8) +
                     " KV bytes a token";
  if (plan.padding_bytes_per_token > 0) {
    text += ", " + number_text(plan.padding_bytes_per_token, 8) + " of them padding";
  }
  return text + "; the largest page is " + bytes_text(plan.pool_page_bytes) + "\n";
}

}  // namespace attnrt::command
