// The division of work: every pair of a query and a key that it sees is in exactly one item.
#include "plugins/cpu/division.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>

namespace attnrt::cpu {
namespace {

LayerParams layer_with(int32_t kv_heads, int32_t group, bool together = true) {
  LayerParams p{};
  p.format = Format::kBf16;
  p.mask = MaskKind::kCausal;
  p.q_heads = kv_heads * group;
  p.kv_heads = kv_heads;
  p.group = group;
  p.dim_qk = p.dim_v = 128;
  p.block_size = 16;
  p.heads_together = together ? 1 : 0;
  return p;
}

// Keys that query i of a sequence must see, as a range.
std::pair<int64_t, int64_t> visible(const LayerParams& layer, const Lengths& s, int32_t i) {
  const int64_t position = int64_t{s.kv} - s.q + i;
  int64_t high = s.kv;
  if (layer.mask == MaskKind::kCausal) high = position + 1;
  if (layer.mask == MaskKind::kPrefixLm) high = std::max<int64_t>(position + 1, s.prefix);
  const int64_t low = layer.window > 0 ? position - layer.window + 1 : 0;
  return {std::max<int64_t>(0, low), std::clamp<int64_t>(high, 0, s.kv)};
}

void expect_complete(const LayerParams& layer, const std::vector<Lengths>& sequences,
                     bool invariant) {
  const Division d = divide(layer, sequences, invariant);
  using Row = std::tuple<int32_t, int32_t, int32_t>;  // sequence, KV head, query
  std::map<Row, std::vector<std::pair<int32_t, int32_t>>> ranges;
  for (const WorkItem& item : d.items) {
    EXPECT_LE(item.rows.kv_heads * item.rows.q_count * layer.group, kMaxRows);
    for (int32_t h = 0; h < item.rows.kv_heads; ++h) {
      for (int32_t q = 0; q < item.rows.q_count; ++q) {
        ranges[{item.rows.sequence, item.rows.kv_head + h, item.rows.q_begin + q}].push_back(
            {item.kv_begin, item.kv_end});
      }
    }
  }
  size_t rows = 0;
  for (size_t n = 0; n < sequences.size(); ++n) {
    const Lengths& s = sequences[n];
    for (int32_t h = 0; h < layer.kv_heads; ++h) {
      for (int32_t q = 0; q < s.q; ++q, ++rows) {
        auto& parts = ranges[{static_cast<int32_t>(n), h, q}];
        ASSERT_FALSE(parts.empty());
        std::sort(parts.begin(), parts.end());
        for (size_t i = 1; i < parts.size(); ++i) ASSERT_EQ(parts[i].first, parts[i - 1].second);
        const auto [low, high] = visible(layer, s, q);
        if (low < high) {
          ASSERT_LE(parts.front().first, low);
          ASSERT_GE(parts.back().second, high);
        }
        ASSERT_LE(parts.back().second, s.kv);
      }
    }
  }
  EXPECT_EQ(ranges.size(), rows);
}

const std::vector<std::vector<Lengths>> kBatches = {
    {},
    {{1, 1, 0}},
    {{0, 5, 0}, {1, 0, 0}, {3, 2, 1}, {1, 16384, 0}},
    {{1, 512, 100}, {1, 513, 600}, {1, 255, 3}},
    {{300, 300, 7}, {2, 9000, 0}, {17, 4096, 4000}, {1, 64, 0}},
};

TEST(Division, HoldsEveryVisiblePairOnce) {
  for (const int32_t kv_heads : {1, 3, 8}) {
    for (const int32_t group : {1, 4, 128}) {
      for (const bool together : {false, true}) {
        for (const MaskKind mask :
             {MaskKind::kCausal, MaskKind::kNonCausal, MaskKind::kPrefixLm, MaskKind::kTree}) {
          for (const int32_t window : {0, 1, 100}) {
            LayerParams layer = layer_with(kv_heads, group, together);
            layer.mask = mask;
            layer.window = window;
            for (const auto& batch : kBatches) {
              expect_complete(layer, batch, false);
              expect_complete(layer, batch, true);
            }
          }
        }
      }
    }
  }
}

TEST(Division, PartialResultsFitWhatTheBoundsPromise) {
  for (const int32_t group : {1, 4, 16}) {
    const LayerParams layer = layer_with(8, group);
    for (const auto& batch : kBatches) {
      attnrt_bounds bounds{sizeof(bounds), 1, 1, 1, 1};
      bounds.sequences = std::max(1, static_cast<int32_t>(batch.size()));
      int32_t tokens = 0;
      for (const Lengths& s : batch) {
        tokens += s.q;
        bounds.q_len = std::max(bounds.q_len, s.q);
        bounds.kv_len = std::max<int64_t>(bounds.kv_len, s.kv);
      }
      bounds.tokens = std::max(1, tokens);
      for (const bool invariant : {false, true}) {
        const int64_t needed = divide(layer, batch, invariant).partial_floats;
        EXPECT_LE(needed, max_partial_floats(layer, bounds, invariant));
        attnrt_bounds larger = bounds;
        larger.sequences += 3;
        larger.tokens += 100;
        larger.q_len += 5;
        larger.kv_len *= 2;
        EXPECT_LE(max_partial_floats(layer, bounds, invariant),
                  max_partial_floats(layer, larger, invariant));
      }
    }
  }
}

TEST(Division, PartialResultsDoNotOverlap) {
  const Division d = divide(layer_with(8, 4), kBatches[4], false);
  ASSERT_FALSE(d.units.empty());
  int64_t end = 0;
  for (const SplitUnit& unit : d.units) {
    EXPECT_EQ(unit.first, end);
    EXPECT_GE(unit.part_floats, unit.rows.kv_heads * unit.rows.q_count * 4 * (2 + 128));
    end += unit.parts * unit.part_floats;
  }
  EXPECT_EQ(end, d.partial_floats);
}

TEST(Division, OfOneLongContextGivesWorkToManyThreads) {
  EXPECT_GE(divide(layer_with(1, 4), {{1, 16384, 0}}, false).items.size(), 32U);
  EXPECT_GE(divide(layer_with(8, 4), {{1, 16384, 0}}, false).items.size(), 32U);
}

TEST(Division, OfSkewedLengthsIsBalanced) {
  std::vector<Lengths> batch(15, {1, 128, 0});
  batch.push_back({1, 65536, 0});
  const LayerParams layer = layer_with(8, 4);
  const Division d = divide(layer, batch, false);
  for (const WorkItem& item : d.items) EXPECT_LE(item.kv_end - item.kv_begin, 65536 / 16);
}

// Of several workers that take the next item whenever they are free: the largest load over the
// mean.
double largest_share(const LayerParams& layer, const Division& d, size_t workers) {
  std::vector<int64_t> loads(workers);
  int64_t total = 0;
  for (const WorkItem& item : d.items) {
    *std::min_element(loads.begin(), loads.end()) += cost_of(layer, item);
    total += cost_of(layer, item);
  }
  return static_cast<double>(*std::max_element(loads.begin(), loads.end())) *
         static_cast<double>(workers) / static_cast<double>(total);
}

TEST(Division, KeepsUpTo64WorkersBusyAlike) {
  std::vector<Lengths> skewed(63, {1, 1024, 0});
  skewed.insert(skewed.begin() + 20, {1, 65536, 0});
  std::vector<Lengths> ragged;
  for (int32_t i = 1; i <= 50; ++i) ragged.push_back({1, 97 * i, 0});
  const std::vector<Lengths> prefill = {{2048, 2048, 0}, {1, 700, 0}, {512, 4096, 0}};
  for (const auto& batch : {skewed, ragged, prefill}) {
    for (const bool together : {false, true}) {
      const LayerParams layer = layer_with(8, 4, together);
      const Division d = divide(layer, batch, false);
      for (const size_t workers : {2, 8, 64}) {
        EXPECT_LE(largest_share(layer, d, workers), 1.1) << workers << ", " << d.items.size();
      }
    }
  }
}

TEST(Division, IsNoFinerThanBalanceNeeds) {
  EXPECT_LE(divide(layer_with(8, 4), std::vector<Lengths>(8, {1, 16384, 0}), false).items.size(),
            64U);
}

TEST(Division, InvariantLooksAtTheSequenceAlone) {
  const LayerParams layer = layer_with(8, 4);
  const auto ranges_of = [&](const std::vector<Lengths>& batch, int32_t sequence) {
    std::vector<std::tuple<int32_t, int32_t, int32_t, int32_t>> all;
    for (const WorkItem& i : divide(layer, batch, true).items) {
      if (i.rows.sequence != sequence) continue;
      all.emplace_back(i.rows.kv_head, i.rows.q_begin, i.kv_begin, i.kv_end);
    }
    std::sort(all.begin(), all.end());
    return all;
  };
  const Lengths s{2, 5000, 0};
  const auto alone = ranges_of({s}, 0);
  EXPECT_GT(alone.size(), 1U);
  EXPECT_EQ(alone, ranges_of({{1, 100000, 0}, s, {500, 500, 0}}, 1));
}

}  // namespace
}  // namespace attnrt::cpu
