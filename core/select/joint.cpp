#include "select/joint.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>

#include "select/plugin_sets.hpp"

namespace attnrt {
namespace {

// Ways that tie in everything up to the bytes: a pool's page, and each class's options within it.
struct Pool {
  int64_t page_bytes = 0;
  long double bytes_per_token = 0;
  int64_t block_distance = 0;  // summed over layers
  std::vector<std::vector<size_t>> options = {};
};

bool better(const JointOption& a, const JointOption& b) {
  if (a.policy_ranks != b.policy_ranks) return a.policy_ranks < b.policy_ranks;
  return a.score > b.score;
}

std::vector<size_t> best_options(const JointClass& c) {
  const auto best = std::min_element(c.options.begin(), c.options.end(), better);
  std::vector<size_t> kept;
  for (size_t i = 0; i < c.options.size(); ++i) {
    if (!better(*best, c.options[i])) kept.push_back(i);
  }
  return kept;
}

// Within a page size, a token costs page / block: the largest block that fits is cheapest.
std::vector<size_t> largest_blocks(const JointClass& c, const std::vector<size_t>& candidates,
                                   int64_t page_bytes) {
  std::vector<size_t> kept;
  int32_t block_size = 0;
  for (size_t i : candidates) {
    const JointOption& o = c.options[i];
    if (o.page_bytes > page_bytes || o.block_size < block_size) continue;
    if (o.block_size > block_size) kept.clear();
    block_size = o.block_size;
    kept.push_back(i);
  }
  return kept;
}

bool about_equal(long double a, long double b) {
  return std::abs(a - b) <= 1e-12L * std::max(std::abs(a), std::abs(b));
}

std::vector<Pool> cheapest_pools(const std::vector<JointClass>& classes) {
  std::vector<std::vector<size_t>> best;
  std::set<int64_t> pages;
  for (const JointClass& c : classes) {
    best.push_back(best_options(c));
    for (size_t i : best.back()) pages.insert(c.options[i].page_bytes);
  }
  std::vector<Pool> pools;
  for (int64_t page : pages) {
    Pool pool{.page_bytes = page};
    for (size_t c = 0; c < classes.size(); ++c) {
      pool.options.push_back(largest_blocks(classes[c], best[c], page));
      if (pool.options.back().empty()) break;
      const int32_t block = classes[c].options[pool.options.back().front()].block_size;
      const auto layers = static_cast<long double>(classes[c].layers);
      pool.bytes_per_token += layers * static_cast<long double>(page) / block;
      pool.block_distance += classes[c].layers * std::abs(block - 16);
    }
    if (pool.options.size() < classes.size() || pool.options.back().empty()) continue;
    const bool equal =
        !pools.empty() && about_equal(pool.bytes_per_token, pools.front().bytes_per_token);
    if (!pools.empty() && !equal && pool.bytes_per_token > pools.front().bytes_per_token) continue;
    if (!equal) pools.clear();
    pools.push_back(std::move(pool));
  }
  return pools;
}

// The end of the order: what is compared once the bytes tie.
struct Finish {
  size_t plugins = std::numeric_limits<size_t>::max();
  int64_t block_distance = 0;
  int64_t format_order = 0;
  int64_t layout_order = 0;
  std::vector<uint32_t> names = {};  // ranks, ascending
  friend auto operator<=>(const Finish&, const Finish&) = default;
};

// The option of a class that a set of plugins serves, first in formats and layouts.
size_t pick_option(const JointClass& c, const std::vector<size_t>& options, const PluginSet& set) {
  size_t best = options.front();
  bool found = false;
  for (size_t i : options) {
    const JointOption& o = c.options[i];
    if (!set.serves(o)) continue;
    const JointOption& b = c.options[best];
    const bool first = o.format_order != b.format_order ? o.format_order < b.format_order
                                                        : o.layout_order < b.layout_order;
    if (!found || first) best = i;
    found = true;
  }
  return best;
}

JointChoice pick_kernels(const JointClass& c, size_t option, const PluginSet& set) {
  JointChoice choice{.option = option};
  for (size_t op = 0; op < kRequiredOps; ++op) {
    const JointKernel* best = nullptr;
    for (const JointKernel& k : c.options[option].kernels[op]) {
      if (!set.contains(k.plugin)) continue;
      const bool first = best == nullptr || k.name_rank < best->name_rank ||
                         (k.name_rank == best->name_rank && k.row < best->row);
      if (first) best = &k;
    }
    choice.rows[op] = best->row;
  }
  return choice;
}

}  // namespace

JointPlan choose_jointly(const std::vector<JointClass>& classes) {
  Finish best;
  JointPlan plan;
  for (const Pool& pool : cheapest_pools(classes)) {
    for (const PluginSet& set : smallest_plugin_sets(classes, pool.options)) {
      Finish finish{
          .plugins = set.size(), .block_distance = pool.block_distance, .names = set.name_ranks()};
      std::vector<JointChoice> choices;
      for (size_t c = 0; c < classes.size(); ++c) {
        const size_t option = pick_option(classes[c], pool.options[c], set);
        finish.format_order += classes[c].layers * classes[c].options[option].format_order;
        finish.layout_order += classes[c].layers * classes[c].options[option].layout_order;
        choices.push_back(pick_kernels(classes[c], option, set));
      }
      if (!(finish < best)) continue;
      best = std::move(finish);
      plan = {pool.page_bytes, std::move(choices), set.plugins()};
    }
  }
  return plan;
}

}  // namespace attnrt
