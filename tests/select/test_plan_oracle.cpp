// The planner against every assignment there is, layer by layer and kernel by kernel.
//
// The catalogs are made so that a planner that takes each op's best kernel, or each layer's best
// cell, is often wrong; the test counts such cases.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>
#include <tuple>

#include "tests/select/oracle.hpp"
#include "tests/select/random_catalogs.hpp"

namespace attnrt {
namespace {

constexpr std::array<Op, 3> kOps{Op::kAppend, Op::kPrefill, Op::kDecode};

// Smaller is better, in the order of the design: policy, score, bytes, plugins, blocks.
struct Objective {
  std::vector<int> ranks;  // counts of the policy's ranks, first preferred first, negated
  int64_t score = 0;       // negated
  double bytes = 0;
  size_t plugins = 0;
  int64_t block_distance = 0;

  bool better_than(const Objective& o) const {
    if (ranks != o.ranks) return ranks < o.ranks;
    if (score != o.score) return score < o.score;
    if (std::abs(bytes - o.bytes) > 1e-6) return bytes < o.bytes;
    return std::tie(plugins, block_distance) < std::tie(o.plugins, o.block_distance);
  }
  bool same_as(const Objective& o) const { return !better_than(o) && !o.better_than(*this); }
};

// One way to serve one layer.
struct Way {
  int64_t page_bytes;
  int32_t block_size;
  std::vector<int> ranks;
  int64_t score;
  std::set<std::string> plugins;
};

struct Case {
  ModelGeometry model;
  PlanOptions options;
  Catalog catalog;
};

class Small : public test::RandomCatalogs {
 public:
  using RandomCatalogs::RandomCatalogs;

  Case one() {
    std::vector<CatalogEntry> entries;
    const uint32_t plugins = 1 + below(3);
    for (uint32_t p = 0; p < plugins; ++p) {
      std::vector<KernelManifest> kernels;
      for (uint32_t k = 1 + below(2); k > 0; --k) kernels.push_back(small_kernel(k));
      entries.push_back(test::plugin(std::string(1, static_cast<char>('a' + p)), kernels));
    }
    Case c{test::model({}), {}, test::catalog(std::move(entries))};
    LayerGeometry local = test::layer();
    local.window = 64;
    LayerGeometry wide = test::layer();
    wide.kv_heads = 16;
    for (uint32_t layers = 1 + below(2); layers > 0; --layers) {
      c.model.layers.push_back(one_of<LayerGeometry>({test::layer(), local, wide}));
    }
    c.options.kv_cache.format = *parse_spelling(one_of<const char*>({"auto", "fp8", "nvfp4"}));
    if (chance(30)) c.options.kv_cache.skip_layers = {{LayerSelector::Kind::kRange, 0, 0}};
    if (chance(20)) c.options.kv_cache.block_size = 16;
    if (chance(30)) {
      const Manifest& m = c.catalog.entries()[below(plugins)].manifest;
      c.options.policy.prefer = {m.name};
    }
    return c;
  }

 private:
  KernelManifest small_kernel(uint32_t index) {
    KernelManifest k = test::kernel("k" + std::to_string(index));
    k.ops = some_of({Op::kAppend, Op::kPrefill, Op::kDecode}, 65);
    k.kv = some_of({Format::kBf16, Format::kFp8E4m3, Format::kNvfp4Linear, Format::kNvfp4Swizzled},
                   70);
    k.block_size.values = one_of<std::vector<int32_t>>({{16}, {16, 32}, {32}, {8, 16}, {16, 48}});
    k.layout = some_of({Layout::kNhd, Layout::kHnd}, 70);
    k.group.values = {2, 4};
    if (chance(80)) k.features.insert(Feature::kWindow);
    k.score = one_of({0, 0, 10, 20});
    return k;
  }
};

Request request_of(const LayerGeometry& g, Op op, Format kv, int32_t block, Layout layout) {
  Request r = test::request();
  r.op = op;
  r.kv = kv;
  r.q_heads = g.q_heads;
  r.kv_heads = g.kv_heads;
  r.head_dim = g.head_dim;
  r.block_size = block;
  r.layout = layout;
  if (g.window > 0) r.features.insert(Feature::kWindow);
  return normalised(r);
}

std::vector<Format> formats_of(const Case& c, size_t layer) {
  const bool skipped = !c.options.kv_cache.skip_layers.empty() && layer == 0;
  const std::string text = skipped ? "auto" : c.options.kv_cache.format.text;
  if (text == "auto") return {Format::kBf16};
  if (text == "fp8") return {Format::kFp8E4m3};
  return {Format::kNvfp4Linear, Format::kNvfp4Swizzled};
}

std::vector<Way> ways_of(const Case& c, size_t layer) {
  std::vector<Way> ways;
  const LayerGeometry& g = c.model.layers[layer];
  for (Format kv : formats_of(c, layer)) {
    for (int32_t block : {8, 16, 32, 48}) {
      if (c.options.kv_cache.block_size && block != *c.options.kv_cache.block_size) continue;
      for (Layout layout : {Layout::kNhd, Layout::kHnd}) {
        const int64_t page = *page_bytes({kv, g.cache, g.head_dim, g.kv_heads, block});
        std::vector<Way> partial{{page, block, std::vector<int>(2), 0, {}}};
        for (Op op : kOps) {
          std::vector<Way> next;
          const Request r = request_of(g, op, kv, block, layout);
          for (const CatalogEntry& e : c.catalog.entries()) {
            for (const KernelManifest& k : e.manifest.kernels) {
              if (!test::failed_rules(r, e, k, c.options.policy).empty()) continue;
              const auto& prefer = c.options.policy.prefer;
              const bool preferred = !prefer.empty() && prefer[0] == e.manifest.name;
              for (Way w : partial) {
                --w.ranks[preferred ? 0 : 1];
                w.score -= k.score;
                w.plugins.insert(e.manifest.name);
                next.push_back(std::move(w));
              }
            }
          }
          partial = std::move(next);
        }
        ways.insert(ways.end(), partial.begin(), partial.end());
      }
    }
  }
  return ways;
}

Objective objective(const std::vector<Way>& ways) {
  Objective o{.ranks = std::vector<int>(2), .score = 0};
  int64_t pool = 0;
  std::set<std::string> plugins;
  for (const Way& w : ways) pool = std::max(pool, w.page_bytes);
  for (const Way& w : ways) {
    o.ranks[0] += w.ranks[0];
    o.ranks[1] += w.ranks[1];
    o.score += w.score;
    o.bytes += static_cast<double>(pool) / w.block_size;
    o.block_distance += std::abs(w.block_size - 16);
    plugins.insert(w.plugins.begin(), w.plugins.end());
  }
  o.plugins = plugins.size();
  return o;
}

std::optional<Objective> best_of_all(const std::vector<std::vector<Way>>& layers) {
  std::optional<Objective> best;
  for (const Way& first : layers[0]) {
    const std::vector<Way> none{{}};
    for (const Way& second : layers.size() > 1 ? layers[1] : none) {
      std::vector<Way> ways{first};
      if (layers.size() > 1) ways.push_back(second);
      const Objective o = objective(ways);
      if (!best || o.better_than(*best)) best = o;
    }
  }
  if (layers.size() > 1 && layers[1].empty()) best.reset();
  return best;
}

Objective planned_objective(const Plan& p, const Case& c) {
  std::vector<Way> ways;
  for (const LayerPlan& layer : p.layers) {
    Way w{p.groups[layer.group].page_bytes, layer.block_size, std::vector<int>(2), 0, {}};
    for (Op op : kOps) {
      const OpDecision& d = *layer.find(op);
      const Manifest& m = c.catalog.entries()[d.plugin].manifest;
      const auto& prefer = c.options.policy.prefer;
      --w.ranks[!prefer.empty() && prefer[0] == m.name ? 0 : 1];
      w.score -= m.kernels[d.kernel].score;
      w.plugins.insert(m.name);
    }
    ways.push_back(std::move(w));
  }
  return objective(ways);
}

// What taking every op's best kernel by itself would come to: null if the ops do not agree.
bool greedy_agrees(const Case& c) {
  for (size_t layer = 0; layer < c.model.layers.size(); ++layer) {
    std::set<std::tuple<Format, int32_t, Layout>> cells;
    for (Op op : kOps) {
      std::optional<std::tuple<int32_t, Format, int32_t, Layout>> best;
      for (Format kv : formats_of(c, layer)) {
        for (int32_t block : {16, 8, 32, 48}) {
          for (Layout layout : {Layout::kNhd, Layout::kHnd}) {
            const Request r = request_of(c.model.layers[layer], op, kv, block, layout);
            const Decision d = select(r, c.catalog, c.options.policy);
            if (!d.chosen) continue;
            const Candidate& k = d.candidates[*d.chosen];
            const int32_t score = c.catalog.entries()[k.plugin].manifest.kernels[k.kernel].score;
            if (!best || score > std::get<0>(*best)) best = {score, kv, block, layout};
          }
        }
      }
      if (!best) return false;
      cells.insert({std::get<1>(*best), std::get<2>(*best), std::get<3>(*best)});
    }
    if (cells.size() > 1) return false;
  }
  return true;
}

TEST(PlanOracle, NoAssignmentIsBetter) {
  Small random(11);
  int planned = 0, refused = 0, greedy_fails = 0, padded = 0;
  for (int round = 0; round < 1200; ++round) {
    const Case c = random.one();
    std::vector<std::vector<Way>> ways;
    for (size_t i = 0; i < c.model.layers.size(); ++i) ways.push_back(ways_of(c, i));
    const std::optional<Objective> best = best_of_all(ways);
    const Result<PlanOutcome> outcome = plan(c.model, test::cpu(), c.options, c.catalog);
    ASSERT_TRUE(outcome.ok()) << to_string(outcome.error());
    ASSERT_EQ(outcome->plan.has_value(), best.has_value()) << round;
    EXPECT_EQ(outcome->refusals.empty(), outcome->plan.has_value());
    if (!best) {
      ++refused;
      continue;
    }
    ++planned;
    const Objective found = planned_objective(*outcome->plan, c);
    ASSERT_FALSE(found.better_than(*best)) << round << ": the oracle is wrong";
    ASSERT_TRUE(found.same_as(*best)) << round;
    double stored = 0;
    for (const CacheGroup& g : outcome->plan->groups) {
      stored += static_cast<double>(g.layers.size()) * static_cast<double>(g.page_bytes) /
                g.page.block_size;
    }
    EXPECT_NEAR(outcome->plan->kv_bytes_per_token - outcome->plan->padding_bytes_per_token, stored,
                1e-6);
    EXPECT_GE(outcome->plan->padding_bytes_per_token, 0);
    if (found.bytes > stored + 1e-6) ++padded;  // in a pool of one page size
    if (!greedy_agrees(c)) ++greedy_fails;
  }
  EXPECT_GT(planned, 150);
  EXPECT_GT(refused, 100);
  EXPECT_GT(greedy_fails, 30);
  EXPECT_GT(padded, 5);
}

TEST(PlanOracle, EveryOpIsServedByTheKernelThatThePlanNames) {
  Small random(12);
  for (int round = 0; round < 300; ++round) {
    const Case c = random.one();
    const Result<PlanOutcome> outcome = plan(c.model, test::cpu(), c.options, c.catalog);
    ASSERT_TRUE(outcome.ok());
    if (!outcome->plan) continue;
    for (const LayerPlan& layer : outcome->plan->layers) {
      for (const OpDecision& d : layer.ops) {
        EXPECT_EQ(d.request.kv, layer.kv);
        EXPECT_EQ(d.request.block_size, layer.block_size);
        EXPECT_EQ(d.request.layout, layer.layout);
        const CatalogEntry& e = c.catalog.entries()[d.plugin];
        EXPECT_TRUE(test::failed_rules(d.request, e, e.manifest.kernels[d.kernel], c.options.policy)
                        .empty());
      }
    }
  }
}

}  // namespace
}  // namespace attnrt
