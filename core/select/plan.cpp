// Planning a model: classes of layers, their cells, the joint choice, and what comes of it.
#include "attnrt/plan.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <tuple>
#include <utility>

#include "select/class_server.hpp"
#include "select/plan_classes.hpp"
#include "select/refusal.hpp"
#include "select/skip_layers.hpp"
#include "select/words.hpp"

namespace attnrt {
namespace {

Error invalid(std::string where, std::string expected, std::string found, std::string remedy) {
  return Error{.code = ErrorCode::kInvalid,
               .where = std::move(where),
               .expected = std::move(expected),
               .found = std::move(found),
               .remedy = std::move(remedy)};
}

Status check(const PlanOptions& options, const Catalog& catalog) {
  constexpr Features kAskable{Feature::kLse,   Feature::kPerHeadScales, Feature::kBatchInvariant,
                              Feature::kGraph, Feature::kDeviceLengths, Feature::kSparse};
  if (!kAskable.contains_all(options.features)) {
    return invalid("features", "guarantees and outputs (" + to_string(kAskable) + ")",
                   to_string(options.features.minus(kAskable)),
                   "masks, windows, sinks and the like are the model's; write them there");
  }
  if (options.kv_cache.block_size.value_or(1) < 1) {
    return invalid("kv_cache.block_size", "at least 1 token, or auto",
                   std::to_string(*options.kv_cache.block_size), "e.g. 16");
  }
  if (options.decode_query_tokens < 1) {
    return invalid("decode_query_tokens", "at least 1", std::to_string(options.decode_query_tokens),
                   "e.g. 1");
  }
  if (options.alignment < 1 || !std::has_single_bit(static_cast<uint32_t>(options.alignment))) {
    return invalid("alignment", "a power of two, in bytes", std::to_string(options.alignment),
                   "e.g. 16");
  }
  return check(options.policy, catalog);
}

CellChoice choice_of(const LayerClass& c, const KvCacheOptions& options) {
  return {c.formats, options.block_size, options.layout};
}

// The best kernels for one op in a cell: all that tie in policy, score and measurement.
struct Tied {
  Matcher::Preference best;
  std::vector<JointKernel> kernels;
};

Tied tied_kernels(const ClassServer& server, size_t op, const Cell& cell) {
  Tied tied;
  const KernelRow* rows = server.matcher(op).compiled().rows.data();
  for (const KernelRow* row : server.open_rows(op)) {
    if (server.matcher(op).failed_cell(*row, cell) != 0) continue;
    const Matcher::Preference p = server.matcher(op).preference(*row);
    const auto key = [](const Matcher::Preference& x) {
      return std::tuple(x.policy_rank, x.negative_score, x.measured_rank);
    };
    if (tied.kernels.empty() || key(p) < key(tied.best)) {
      tied.best = p;
      tied.kernels.clear();
    }
    if (key(p) > key(tied.best)) continue;
    tied.kernels.push_back({static_cast<uint32_t>(row - rows), row->plugin, p.name_rank});
  }
  return tied;
}

struct ClassOptions {
  std::vector<Cell> cells;  // of each option
  JointClass joint;
  std::optional<Format> bytes_unknown;  // served, but no pool can be planned for it
};

ClassOptions options_of(const LayerClass& c, const ClassServer& server,
                        const KvCacheOptions& cache) {
  ClassOptions result;
  result.joint.layers = static_cast<int64_t>(c.layers.size());
  for (const Cell& cell : server.cells(choice_of(c, cache))) {
    if (!server.serves(cell)) continue;
    const LayerGeometry& g = c.geometry;
    const Result<int64_t> page =
        page_bytes({cell.kv, g.cache, g.head_dim, g.kv_heads, cell.block_size});
    if (!page) {
      result.bytes_unknown = cell.kv;
      continue;
    }
    JointOption option{.page_bytes = *page, .block_size = cell.block_size};
    option.format_order = static_cast<int32_t>(
        std::find(c.formats.begin(), c.formats.end(), cell.kv) - c.formats.begin());
    option.layout_order = static_cast<int32_t>(cell.layout);
    for (size_t op = 0; op < kRequiredOps; ++op) {
      Tied tied = tied_kernels(server, op, cell);
      option.policy_ranks[op] = tied.best.policy_rank;
      option.score -= tied.best.negative_score;
      option.kernels[op] = std::move(tied.kernels);
    }
    std::sort(option.policy_ranks.begin(), option.policy_ranks.end());
    result.cells.push_back(cell);
    result.joint.options.push_back(std::move(option));
  }
  return result;
}

OpDecision decide(Op op, const Request& request, const Matcher& matcher, const Cell& cell,
                  const KernelRow& row) {
  OpDecision decision{op, request, row.plugin, row.kernel, all_candidates(matcher, cell)};
  decision.request.kv = cell.kv;
  decision.request.block_size = cell.block_size;
  decision.request.layout = cell.layout;
  return decision;
}

// A kernel for batches of prefill and decode at once, if there is one that is as welcome as the two
// it would stand in for: else the session splits such a batch. Plugins in use come first.
const KernelRow* mixed_row(const Matcher& matcher, const Cell& cell,
                           const Matcher::Preference& worst, const std::vector<uint32_t>& in_use) {
  const KernelRow* best = nullptr;
  const auto key = [&](const KernelRow& row) {
    const Matcher::Preference p = matcher.preference(row);
    const bool used = std::find(in_use.begin(), in_use.end(), row.plugin) != in_use.end();
    return std::tuple(p.policy_rank, p.negative_score, p.measured_rank, !used, p.name_rank);
  };
  for (const KernelRow& row : matcher.compiled().rows) {
    if ((matcher.failed_fixed(row) | matcher.failed_cell(row, cell)) != 0) continue;
    const Matcher::Preference p = matcher.preference(row);
    if (std::pair(p.policy_rank, p.negative_score) >
        std::pair(worst.policy_rank, worst.negative_score)) {
      continue;
    }
    if (best == nullptr || key(row) < key(*best)) best = &row;
  }
  return best;
}

// Joins layers that share block tables.
uint32_t group_of(Plan& plan, const CacheGroup& group) {
  for (uint32_t i = 0; i < plan.groups.size(); ++i) {
    const CacheGroup& g = plan.groups[i];
    if (g.page == group.page && g.layout == group.layout && g.window == group.window) return i;
  }
  plan.groups.push_back(group);
  return static_cast<uint32_t>(plan.groups.size() - 1);
}

struct Planner {
  const ModelGeometry& model;
  const Device& device;
  const PlanOptions& options;
  const Catalog& catalog;

  std::vector<OpDecision> decisions(const LayerClass& c, const ClassServer& server,
                                    const Cell& cell, const JointChoice& choice,
                                    const std::vector<uint32_t>& in_use) const {
    std::vector<OpDecision> ops;
    const std::vector<KernelRow>& rows = catalog.compiled().rows;
    for (size_t op = 0; op < kRequiredOps; ++op) {
      ops.push_back(decide(kRequired[op], server.request(op), server.matcher(op), cell,
                           rows[choice.rows[op]]));
    }
    const Request request = op_request(c, Op::kMixed, model, device, options);
    const Matcher matcher(request, catalog, options.policy,
                          options.runnable ? Purpose::kRun : Purpose::kPlan);
    const Matcher::Preference worst = std::max(matcher.preference(rows[choice.rows[1]]),
                                               matcher.preference(rows[choice.rows[2]]));
    if (const KernelRow* row = mixed_row(matcher, cell, worst, in_use)) {
      ops.push_back(decide(Op::kMixed, request, matcher, cell, *row));
    }
    return ops;
  }

  void place(Plan& plan, const LayerClass& c, const Cell& cell, int64_t page,
             const std::vector<OpDecision>& ops) const {
    const auto wants_packed = [this](const OpDecision& d) {
      const Manifest& manifest = catalog.entries()[d.plugin].manifest;
      return !manifest.kernels[d.kernel].pages.contains(Strides::kStrided);
    };
    const LayerGeometry& g = c.geometry;
    const PageGeometry geometry{cell.kv, g.cache, g.head_dim, g.kv_heads, cell.block_size};
    for (int32_t index : c.layers) {
      LayerPlan& layer = plan.layers[static_cast<size_t>(index)];
      layer = {index, 0, g, c.spelling.text, cell.kv, cell.block_size, cell.layout, ops};
      layer.group = group_of(plan, {{}, geometry, cell.layout, g.window, page});
      CacheGroup& group = plan.groups[layer.group];
      group.layers.push_back(index);
      group.packed = group.packed || std::any_of(ops.begin(), ops.end(), wants_packed);
    }
  }
};

void count_bytes(Plan& plan) {
  const PoolLayout pool = pool_of(plan.groups);
  for (size_t g = 0; g < plan.groups.size(); ++g) {
    const CacheGroup& group = plan.groups[g];
    const auto stored = static_cast<double>(group.page_bytes) *
                        static_cast<double>(group.layers.size()) / group.page.block_size;
    const double taken = bytes_per_token(pool.groups[g], group.page.block_size);
    plan.kv_bytes_per_token += taken;
    plan.padding_bytes_per_token += taken - stored;
  }
}

Error unknown_bytes(const LayerClass& c, Format format) {
  return Error{.code = ErrorCode::kNoBackend,
               .where = "layer " + std::to_string(c.layers.front()),
               .expected = "a format whose bytes are known, to plan a pool of pages",
               .found = "'" + std::string(name(format)) + "', which is known by name only",
               .remedy = "choose another kv_cache.format, or put the layer into skip_layers"};
}

// Of which both sides' bytes in a page are divisors.
int64_t whole_pages_bytes(const PageGeometry& page) {
  if (page.cache == CacheKind::kLatent) return *page_bytes(page);
  const int64_t rows = int64_t{page.kv_heads} * page.block_size;
  return rows * std::lcm(*row_bytes(page.format, page.head_dim.qk),
                         *row_bytes(page.format, page.head_dim.v));
}

}  // namespace

PoolLayout pool_of(const std::vector<CacheGroup>& groups) {
  std::vector<PoolGroup> sizes;
  for (const CacheGroup& group : groups) {
    PoolGroup size;
    size.layers = static_cast<int32_t>(group.layers.size());
    size.page_bytes = group.page_bytes;
    if (group.packed) size.whole_bytes = whole_pages_bytes(group.page);
    sizes.push_back(size);
  }
  return pool_layout(std::move(sizes));
}

const OpDecision* LayerPlan::find(Op op) const {
  for (const OpDecision& decision : ops) {
    if (decision.op == op) return &decision;
  }
  return nullptr;
}

Result<std::optional<Plan>> plan_classes(const std::vector<LayerClass>& classes,
                                         const ModelGeometry& model, const Device& device,
                                         const PlanOptions& options, const Catalog& catalog) {
  const Planner planner{model, device, options, catalog};
  std::vector<ClassServer> servers;
  std::vector<ClassOptions> served;
  std::vector<JointClass> joint;
  servers.reserve(classes.size());
  for (const LayerClass& c : classes) {
    servers.emplace_back(c, model, device, options, catalog);
    served.push_back(options_of(c, servers.back(), options.kv_cache));
    if (served.back().cells.empty() && served.back().bytes_unknown) {
      return unknown_bytes(c, *served.back().bytes_unknown);
    }
    joint.push_back(served.back().joint);
  }
  const bool complete = std::all_of(joint.begin(), joint.end(),
                                    [](const JointClass& c) { return !c.options.empty(); });
  if (!complete) return std::optional<Plan>();

  const JointPlan choice = choose_jointly(joint);
  Plan result;
  result.model = model.name;
  result.device = device;
  result.q = options.q.value_or(model.dtype);
  result.out = options.out.value_or(result.q);
  result.pool_page_bytes = choice.pool_page_bytes;
  result.layers.resize(model.layers.size());
  for (size_t c = 0; c < classes.size(); ++c) {
    const size_t option = choice.choices[c].option;
    const Cell& cell = served[c].cells[option];
    const std::vector<OpDecision> ops =
        planner.decisions(classes[c], servers[c], cell, choice.choices[c], choice.plugins);
    planner.place(result, classes[c], cell, joint[c].options[option].page_bytes, ops);
  }
  if (!result.groups.empty()) count_bytes(result);
  return std::optional<Plan>(std::move(result));
}

Result<PlanOutcome> plan(const ModelGeometry& model, const Device& device,
                         const PlanOptions& options, const Catalog& catalog) {
  if (Status s = check(options, catalog); !s) return std::move(s).error();
  Result<std::vector<LayerClass>> classes = layer_classes(model, device, options.kv_cache);
  if (!classes) return std::move(classes).error();
  Result<std::optional<Plan>> planned = plan_classes(*classes, model, device, options, catalog);
  if (!planned) return std::move(planned).error();
  PlanOutcome outcome;
  outcome.plan = *std::move(planned);
  if (outcome.plan) return outcome;
  outcome.refusals = refusals(*classes, model, device, options, catalog);
  add_skipping(outcome.refusals, *classes, model, device, options, catalog);
  return outcome;
}

}  // namespace attnrt
