#include "select/class_server.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>

namespace attnrt {
namespace {

constexpr int32_t kMembersUpTo = 256;

void add_range(std::set<int32_t>& sizes, const IntRange& range) {
  const int32_t step = range.multiple_of;
  const int32_t last = range.max / step * step;
  const int32_t first = (range.min + step - 1) / step * step;
  const int32_t end = std::min(last, std::max(kMembersUpTo, first));
  for (int64_t v = first; v <= end; v += step) sizes.insert(static_cast<int32_t>(v));
  for (int64_t v = 1; v <= last; v *= 2) {
    if (range.contains(static_cast<int32_t>(v))) sizes.insert(static_cast<int32_t>(v));
  }
  sizes.insert(last);
}

}  // namespace

ClassServer::ClassServer(const LayerClass& layer_class, const ModelGeometry& model,
                         const Device& device, const PlanOptions& options, const Catalog& catalog) {
  const Purpose purpose = options.runnable ? Purpose::kRun : Purpose::kPlan;
  matchers_.reserve(kRequiredOps);
  for (size_t op = 0; op < kRequiredOps; ++op) {
    requests_[op] = op_request(layer_class, kRequired[op], model, device, options);
    matchers_.emplace_back(requests_[op], catalog, options.policy, purpose);
    for (const KernelRow& row : catalog.compiled().rows) {
      if (matchers_[op].failed_fixed(row) == 0) open_[op].push_back(&row);
    }
  }
}

std::vector<int32_t> ClassServer::block_sizes() const {
  std::set<int32_t> sizes;
  const Catalog::Compiled& compiled = matchers_[0].compiled();
  for (const auto& rows : open_) {
    for (const KernelRow* row : rows) {
      const IntSet& set = compiled.block_sizes[row->block_size];
      sizes.insert(set.values.begin(), set.values.end());
      for (const IntRange& range : set.ranges) add_range(sizes, range);
    }
  }
  if (sizes.empty()) sizes.insert(16);
  std::vector<int32_t> near(sizes.begin(), sizes.end());
  std::stable_sort(near.begin(), near.end(),
                   [](int32_t a, int32_t b) { return std::abs(a - 16) < std::abs(b - 16); });
  return near;
}

std::vector<Cell> ClassServer::cells(const CellChoice& choice) const {
  const std::vector<int32_t> blocks =
      choice.block_size ? std::vector<int32_t>{*choice.block_size} : block_sizes();
  const std::vector<Layout> layouts = choice.layout
                                          ? std::vector<Layout>{*choice.layout}
                                          : std::vector<Layout>{Layout::kNhd, Layout::kHnd};
  std::vector<Cell> all;
  all.reserve(choice.formats.size() * blocks.size() * layouts.size());
  for (Format format : choice.formats) {
    for (int32_t block : blocks) {
      for (Layout layout : layouts) all.push_back({format, block, layout});
    }
  }
  return all;
}

bool ClassServer::serves(const Cell& cell) const {
  for (size_t op = 0; op < kRequiredOps; ++op) {
    const bool served = std::any_of(open_[op].begin(), open_[op].end(), [&](const KernelRow* row) {
      return matchers_[op].failed_cell(*row, cell) == 0;
    });
    if (!served) return false;
  }
  return true;
}

std::optional<Cell> ClassServer::first_served(const CellChoice& choice) const {
  for (const auto& rows : open_) {
    if (rows.empty()) return std::nullopt;
  }
  for (const Cell& cell : cells(choice)) {
    if (serves(cell)) return cell;
  }
  return std::nullopt;
}

const KernelRow* ClassServer::best(size_t op, const Cell& cell) const {
  const KernelRow* best = nullptr;
  for (const KernelRow* row : open_[op]) {
    if (matchers_[op].failed_cell(*row, cell) != 0) continue;
    if (best == nullptr || matchers_[op].preference(*row) < matchers_[op].preference(*best)) {
      best = row;
    }
  }
  return best;
}

std::vector<Candidate> all_candidates(const Matcher& matcher, const Cell& cell) {
  std::vector<Candidate> candidates;
  candidates.reserve(matcher.compiled().rows.size());
  for (const KernelRow& row : matcher.compiled().rows) {
    candidates.push_back(
        {row.plugin, row.kernel, matcher.failed_fixed(row) | matcher.failed_cell(row, cell)});
  }
  return candidates;
}

}  // namespace attnrt
