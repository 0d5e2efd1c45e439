#include "select/refusal.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "select/plan_alternatives.hpp"

namespace attnrt {
namespace {

// How badly an op fails in a cell: the failed rules of the kernel that comes nearest; 0: served.
int nearest_failures(const Matcher& matcher, const Cell& cell) {
  int fewest = std::numeric_limits<int>::max();
  for (const KernelRow& row : matcher.compiled().rows) {
    const uint32_t failed = matcher.failed_fixed(row) | matcher.failed_cell(row, cell);
    fewest = std::min(fewest, std::popcount(failed));
  }
  return fewest;
}

// The cell where the fewest ops fail, and those that fail come nearest to being served.
Cell nearest_cell(const ClassServer& server, const CellChoice& choice) {
  Cell best{choice.formats.front(), choice.block_size.value_or(16),
            choice.layout.value_or(Layout::kNhd)};
  std::pair<int, int64_t> fewest{std::numeric_limits<int>::max(), 0};
  for (const Cell& cell : server.cells(choice)) {
    std::pair<int, int64_t> failures{0, 0};
    for (size_t op = 0; op < kRequiredOps; ++op) {
      const int failed = nearest_failures(server.matcher(op), cell);
      if (failed > 0) ++failures.first;
      failures.second += failed;
    }
    if (failures >= fewest) continue;
    fewest = failures;
    best = cell;
  }
  return best;
}

Request in_cell(Request request, const Cell& cell) {
  request.kv = cell.kv;
  request.block_size = cell.block_size;
  request.layout = cell.layout;
  return request;
}

struct Refuser {
  const std::vector<LayerClass>& classes;
  const ModelGeometry& model;
  const Device& device;
  const PlanOptions& options;
  const Catalog& catalog;

  CellChoice choice_of(const LayerClass& c) const {
    return {c.formats, options.kv_cache.block_size, options.kv_cache.layout};
  }

  std::vector<Alternative> alternatives_for(const std::vector<PlanAlternative>& found,
                                            const LayerClass& c, Op op) const {
    std::vector<Alternative> result;
    for (const PlanAlternative& a : found) {
      const PlanOptions changed = with(options, a.change);
      const Request request = in_cell(op_request(c, op, model, a.request.device, changed), a.cell);
      const ClassServer server(c, model, a.request.device, changed, catalog);
      const size_t index = static_cast<size_t>(std::find(kRequired.begin(), kRequired.end(), op) -
                                               kRequired.begin());
      const KernelRow* row = server.best(index, a.cell);
      if (row == nullptr) continue;
      result.push_back(
          {to_texts(a.change), request, row->plugin, row->kernel, kv_bytes_per_token(request)});
    }
    return result;
  }

  void refuse(size_t index, std::vector<Refusal>& out) const {
    const LayerClass& c = classes[index];
    const ClassServer server(c, model, device, options, catalog);
    if (server.first_served(choice_of(c))) return;
    const Cell cell = nearest_cell(server, choice_of(c));
    const auto found = plan_alternatives(classes, index, model, device, options, catalog);
    for (size_t op = 0; op < kRequiredOps; ++op) {
      if (nearest_failures(server.matcher(op), cell) == 0) continue;
      Refusal refusal;
      refusal.layer = c.layers.front();
      refusal.op = kRequired[op];
      refusal.spelling = c.spelling.text;
      refusal.request = in_cell(server.request(op), cell);
      refusal.candidates = all_candidates(server.matcher(op), cell);
      refusal.alternatives = alternatives_for(found, c, kRequired[op]);
      refusal.also_layers.assign(c.layers.begin() + 1, c.layers.end());
      out.push_back(std::move(refusal));
    }
  }
};

}  // namespace

std::vector<Refusal> refusals(const std::vector<LayerClass>& classes, const ModelGeometry& model,
                              const Device& device, const PlanOptions& options,
                              const Catalog& catalog) {
  std::vector<Refusal> all;
  const Refuser refuser{classes, model, device, options, catalog};
  for (size_t c = 0; c < classes.size(); ++c) refuser.refuse(c, all);
  return all;
}

}  // namespace attnrt
