// FlashInfer's own plans, made on the host through the plugin's schedules, against what a division
// of a batch must be: every query row meets each of its keys exactly once, nothing stands outside
// the memory that was asked for, and long contexts do not keep few multiprocessors busy.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "fake_runtime.hpp"
#include "host_batch.hpp"
#include "plugins/flashinfer/hopper_attend.hpp"
#include "plugins/flashinfer/schedule.hpp"
#include "plugins/flashinfer/xqa_attend.hpp"

namespace attnrt::flashinfer {
namespace {

using Ints = std::vector<int32_t>;

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  // From 0 to n.
  int32_t upto(int32_t n) {
    return static_cast<int32_t>(engine_() % (static_cast<uint32_t>(n) + 1));
  }
  bool one_in(int32_t n) { return upto(n - 1) == 0; }

 private:
  std::mt19937 engine_;
};

Layer random_layer(Random& random) {
  const int32_t dims[] = {64, 128, 256};
  Layer layer{};
  layer.kernel = {Half::kBf16, random.one_in(3) ? Stored::kE4m3 : Stored::kBf16,
                  dims[random.upto(2)]};
  layer.q_dtype = ATTNRT_DTYPE_BF16;
  layer.kv_heads = 1 + random.upto(3);
  layer.group = 1 + random.upto(8);
  layer.block_size = 1 + random.upto(40);
  return layer;
}

constexpr int64_t kStride = 3001;  // entries of a row of the block table

// Mostly short, now and then one that is long.
struct Batch : testing::HostBatch {
  Batch(Random& random, int32_t most_queries) {
    for (int32_t n = 1 + random.upto(9); n > 0; --n) {
      q_start.push_back(q_start.back() + random.upto(most_queries));
      kv_len.push_back(random.one_in(4) ? random.upto(3000) : random.upto(200));
    }
    table.assign(kv_len.size() * size_t{kStride}, 7);
    seal(kStride);
  }

  attnrt_bounds bounds() const {
    attnrt_bounds most{sizeof(attnrt_bounds), b.sequences, std::max(b.tokens, 1), 1, 1};
    for (size_t i = 0; i < kv_len.size(); ++i) {
      most.q_len = std::max(most.q_len, q_start[i + 1] - q_start[i]);
      most.kv_len = std::max<int64_t>(most.kv_len, kv_len[i]);
    }
    return most;
  }
};

struct Memory {
  explicit Memory(const attnrt_workspace_sizes& s)
      : state(s.state.bytes), scratch(s.scratch.bytes), staging(s.staging.bytes) {}
  attnrt_workspace view() {
    return {sizeof(attnrt_workspace), state.data(),  scratch.data(), staging.data(), state.size(),
            scratch.size(),           staging.size()};
  }
  std::vector<uint8_t> state, scratch, staging;
};

template <class T = int32_t>
const T* at(const void* base, int64_t offset) {
  return reinterpret_cast<const T*>(static_cast<const uint8_t*>(base) + offset);
}

// What blocks of FlashInfer's kernel do with a plan, in its words (prefill.cuh), gathered by query
// row.
class Division {
 public:
  Division(const Layer& layer, const BatchSchedule& schedule)
      : layer_(layer), plan_(schedule.plan()), r_(schedule.requests()), ints_(schedule.ints()) {
    for (int64_t block = 0; block < plan_.blocks; ++block) {
      if (plan_.graph && !at<bool>(ints_, plan_.block_used)[block]) continue;
      add(block);
    }
  }

  int64_t q_len(int32_t request) const { return r_.q_begin[request + 1] - r_.q_begin[request]; }
  int64_t kv_len(int32_t request) const {
    const int64_t pages = r_.page_begin[request + 1] - r_.page_begin[request];
    return pages == 0 ? 0 : (pages - 1) * layer_.block_size + r_.last_page_len[request];
  }

  // Each row of a group (request, packed row): its parts, by their first keys.
  using Parts = std::map<int64_t, int64_t>;
  std::map<std::pair<int32_t, int64_t>, Parts> rows;
  std::map<std::pair<int32_t, int64_t>, std::set<int64_t>> places;  // of (request, query)

 private:
  void add(int64_t block) {
    const int32_t request = at(ints_, plan_.request_indices)[block];
    ASSERT_GE(request, 0);
    ASSERT_LT(request, r_.count);
    const int64_t tile = at(ints_, plan_.q_tiles)[block];
    const int64_t part = at(ints_, plan_.kv_tiles)[block];
    const int64_t chunk = *at(ints_, plan_.chunk_keys);
    const int64_t before = layer_.window > 0 ? layer_.window - 1 : kv_len(request);
    const int64_t start = std::max<int64_t>(
        0, kv_len(request) + tile * plan_.tile_rows / layer_.group - q_len(request) - before);
    const int64_t first = plan_.split ? std::min(start + part * chunk, kv_len(request)) : start;
    const int64_t last =
        plan_.split ? std::min(start + (part + 1) * chunk, kv_len(request)) : kv_len(request);
    const int64_t reach = std::min(std::max<int64_t>(kv_len(request), 1), before + plan_.tile_rows);
    const int64_t parts = plan_.split ? (reach + chunk - 1) / chunk : 1;
    const int32_t* begin = plan_.split ? at(ints_, plan_.request_parts) : r_.q_begin;
    const int64_t rows_of_request = q_len(request) * layer_.group;
    ASSERT_LT(tile * plan_.tile_rows, rows_of_request) << "a tile without a row";
    ASSERT_LT(part, parts);
    for (int64_t row = tile * plan_.tile_rows;
         row < std::min((tile + 1) * plan_.tile_rows, rows_of_request); ++row) {
      // Of no key: both ends the same, wherever that is.
      const auto [place, added] = rows[{request, row}].emplace(first, last);
      ASSERT_TRUE(added || first == last) << "a part twice";
      places[{request, row / layer_.group}].insert(begin[request] + row / layer_.group * parts +
                                                   part);
    }
  }

  const Layer& layer_;
  const Plan& plan_;
  const RequestView r_;
  const void* ints_;
};

void expect_whole(const Layer& layer, const BatchSchedule& schedule, const Memory& memory) {
  const Division d(layer, schedule);
  const Plan& plan = schedule.plan();
  const RequestView r = schedule.requests();
  std::set<int64_t> taken;
  for (int32_t request = 0; request < r.count; ++request) {
    const int64_t q_len = d.q_len(request);
    for (int64_t row = 0; row < q_len * layer.group; ++row) {
      const auto found = d.rows.find({request, row});
      ASSERT_NE(found, d.rows.end()) << "a row that no block has";
      const int64_t position = d.kv_len(request) - q_len + row / layer.group;
      const int64_t first =
          layer.window > 0 ? std::max<int64_t>(0, position - layer.window + 1) : 0;
      int64_t next = found->second.begin()->first;
      if (d.kv_len(request) > 0) {
        EXPECT_LE(next, first) << "keys before the first part";
      }
      for (const auto& [begin, end] : found->second) {
        if (begin == end) continue;
        ASSERT_EQ(begin, next) << "a gap, or keys twice";
        next = end;
      }
      EXPECT_GT(next, std::min(position, d.kv_len(request) - 1)) << "keys behind the last part";
    }
    // Parts of a token stand where finish looks for them, and nowhere else's.
    for (int64_t query = 0; plan.split && query < q_len; ++query) {
      const int32_t* begin = at(schedule.ints(), plan.part_begin) + r.q_begin[request] + query;
      std::set<int64_t> expected;
      for (int32_t i = begin[0]; i < begin[1]; ++i) expected.insert(i);
      EXPECT_EQ(d.places.at({request, query}), expected);
      for (const int64_t place : expected) EXPECT_TRUE(taken.insert(place).second);
    }
  }
  if (taken.empty()) return;
  const auto rows =
      static_cast<uint64_t>(*taken.rbegin() + 1) * static_cast<uint64_t>(layer.q_heads());
  const auto dim = static_cast<uint64_t>(layer.kernel.head_dim);
  EXPECT_LE(static_cast<uint64_t>(plan.part_out) + rows * dim * 2,
            std::max<uint64_t>(static_cast<uint64_t>(plan.part_lse), 1));
  EXPECT_LE(static_cast<uint64_t>(plan.part_lse) + rows * sizeof(float), memory.scratch.size());
}

// Where contexts are divided, so finely that one block more for each would be more than run at
// once.
void expect_fine(const Layer& layer, const BatchSchedule& schedule) {
  const Plan& plan = schedule.plan();
  const RequestView r = schedule.requests();
  const int64_t most = 2 * testing::kMultiprocessors / layer.kv_heads;
  const auto blocks_of = [&](int64_t pages_of_part) {
    int64_t blocks = 0;
    for (int32_t i = 0; i < r.count; ++i) {
      const int64_t rows = int64_t{r.q_begin[i + 1] - r.q_begin[i]} * layer.group;
      int64_t pages = r.page_begin[i + 1] - r.page_begin[i];
      if (layer.window > 0) {
        const int64_t reach = layer.window - 1 + plan.tile_rows;
        pages = std::min(pages, (reach + layer.block_size - 1) / layer.block_size);
      }
      pages = std::max<int64_t>(pages, 1);
      blocks += (rows + plan.tile_rows - 1) / plan.tile_rows *
                ((pages + pages_of_part - 1) / pages_of_part);
    }
    return blocks;
  };
  const int64_t pages = *at(schedule.ints(), plan.chunk_keys) / layer.block_size;
  const int64_t least = std::max(128 / layer.block_size, 1);
  if (plan.split) {
    EXPECT_LE(blocks_of(pages), std::max(most, blocks_of(1 << 30)));
  }
  if (blocks_of(1 << 30) <= most && pages > least) {
    EXPECT_GT(blocks_of(pages - 1), most) << "parts of " << pages << " pages";
  }
}

TEST(Fa2Plans, CoverEveryRowAndKeyOnceWithinTheirMemory) {
  const auto machine = testing::open_host();
  Random random(5);
  int divided = 0;
  for (int round = 0; round < 300; ++round) {
    Layer layer = random_layer(random);
    layer.decode = round % 3 == 0;
    layer.graph = round % 4 == 0;
    layer.window = random.one_in(3) ? 1 + random.upto(400) : 0;
    const Batch batch(random, layer.decode ? 1 : 90);
    const Capacity most = capacity_of(layer, batch.bounds());
    Memory memory(size_workspace(layer, testing::kMultiprocessors, most));
    const BatchSchedule schedule(*machine, layer, most, batch.b, memory.view(), nullptr);
    if (schedule.plan().blocks == 0) continue;
    divided += schedule.plan().split ? 1 : 0;
    ASSERT_NO_FATAL_FAILURE(expect_whole(layer, schedule, memory)) << "round " << round;
    if (!layer.graph) expect_fine(layer, schedule);
    if (::testing::Test::HasFailure()) FAIL() << "round " << round;
  }
  EXPECT_GT(divided, 50);
}

// Another batch within the bounds, by the same launches.
TEST(Fa2Plans, KeepTheirLaunchesWhenTheyAreRescheduled) {
  const auto machine = testing::open_host();
  Random random(6);
  Layer layer = random_layer(random);
  layer.graph = true;
  const attnrt_bounds bounds{sizeof(attnrt_bounds), 10, 900, 90, 3000};
  const Capacity most = capacity_of(layer, bounds);
  Memory memory(size_workspace(layer, testing::kMultiprocessors, most));
  const Batch first(random, 90);
  BatchSchedule schedule(*machine, layer, most, first.b, memory.view(), nullptr);
  const Plan before = schedule.plan();
  for (int round = 0; round < 30; ++round) {
    const Batch batch(random, 90);
    schedule.reschedule(batch.b, nullptr);
    EXPECT_EQ(std::memcmp(&before, &schedule.plan(), sizeof before), 0);
    ASSERT_NO_FATAL_FAILURE(expect_whole(layer, schedule, memory));
  }
}

struct Work {
  int32_t q_tile, q_begin, page_begin, q_len, kv_len, head, request;
};

Work work_of(const void* ints, const HopperPlan& p, int32_t i) {
  const auto number = [&](int64_t offset) { return at(ints, offset)[i]; };
  return {number(p.q_tiles), number(p.q_begin), number(p.page_begin), number(p.q_len),
          number(p.kv_len),  number(p.heads),   number(p.requests)};
}

void expect_balanced(const std::vector<double>& costs, double largest) {
  double sum = 0;
  for (const double c : costs) sum += c;
  // What handing each to the least busy one guarantees.
  EXPECT_LE(*std::max_element(costs.begin(), costs.end()), sum / double(costs.size()) + largest);
}

TEST(HopperPlans, GiveEveryTileOfEveryHeadToOneMultiprocessor) {
  Random random(8);
  for (int round = 0; round < 200; ++round) {
    Layer layer = random_layer(random);
    layer.kernel = {Half::kBf16, Stored::kBf16, 128};
    const Batch batch(random, round % 2 == 0 ? 400 : 3);
    const Requests r = make_requests(layer, batch.b);
    if (r.count() == 0) continue;
    Ints keys;
    for (size_t i = 0; i < r.last_page_len.size(); ++i) keys.push_back(r.keys(i, layer.block_size));
    const uint64_t bytes =
        size_hopper(layer, testing::kMultiprocessors, capacity_of(r)).state.bytes -
        r.indices.size() * sizeof(int32_t);
    std::vector<uint8_t> state(bytes);
    std::vector<uint8_t> staging(bytes);
    const PlanInput input{r.q_begin.data(),
                          r.page_begin.data(),
                          r.count(),
                          batch.b.tokens,
                          layer.q_heads(),
                          layer.kv_heads,
                          128,
                          layer.block_size,
                          0,
                          /*stored_bytes=*/2,
                          false};
    HopperPlan plan{};
    ASSERT_EQ(plan_hopper(input, keys.data(), {state.data(), staging.data(), bytes, nullptr, 0},
                          nullptr, plan),
              nullptr);
    const int32_t* begin = at(state.data(), plan.work_begin);
    ASSERT_EQ(begin[0], 0);
    std::set<std::tuple<int32_t, int32_t, int32_t>> done;  // head, request, tile
    std::vector<double> costs;
    double largest = 0;
    for (int m = 0; m < testing::kMultiprocessors; ++m) {
      costs.push_back(0);
      for (int32_t i = begin[m]; i < begin[m + 1]; ++i) {
        const Work w = work_of(state.data(), plan, i);
        ASSERT_TRUE(w.request >= 0 && w.request < r.count() && w.head >= 0 &&
                    w.head < layer.q_heads());
        const auto request = static_cast<size_t>(w.request);
        EXPECT_EQ(w.q_begin, r.q_begin[request]);
        EXPECT_EQ(w.q_len, r.q_begin[request + 1] - r.q_begin[request]);
        EXPECT_EQ(w.page_begin, r.page_begin[request]);
        EXPECT_EQ(w.kv_len, keys[request]);
        EXPECT_LT(w.q_tile * kHopperTileRows, w.q_len) << "a tile without a row";
        EXPECT_TRUE(done.insert({w.head, w.request, w.q_tile}).second) << "a tile twice";
        const int32_t seen =
            std::min(std::max(0, w.kv_len - w.q_len + (w.q_tile + 1) * kHopperTileRows), w.kv_len);
        const double cost = 2 * kHopperTileRows + seen;
        costs.back() += cost;
        largest = std::max(largest, cost);
      }
    }
    size_t tiles = 0;
    for (size_t i = 0; i + 1 < r.q_begin.size(); ++i) {
      tiles += static_cast<size_t>((r.q_begin[i + 1] - r.q_begin[i] + kHopperTileRows - 1) /
                                   kHopperTileRows);
    }
    EXPECT_EQ(done.size(), tiles * static_cast<size_t>(layer.q_heads())) << "a tile is missing";
    expect_balanced(costs, largest);
    if (::testing::Test::HasFailure()) FAIL() << "round " << round;
  }
}

TEST(HopperPlans, SayWhyWhereRequestsAreTooMany) {
  PlanInput input{};
  input.requests = kHopperMostRequests + 1;
  HopperPlan plan{};
  EXPECT_NE(plan_hopper(input, nullptr, {}, nullptr, plan), nullptr);
}

TEST(XqaSplits, AreNoMoreThanMultiprocessorsOrTiles) {
  for (int32_t requests = 0; requests <= 200; ++requests) {
    for (int32_t heads = 1; heads <= 16; ++heads) {
      for (const int64_t keys : {0, 1, 255, 256, 257, 5000, 1000000}) {
        const int32_t splits = xqa_splits(132, requests, heads, keys);
        EXPECT_GE(splits, 1);
        EXPECT_LE(splits, std::max<int64_t>(1, (keys + 255) / 256));
        if (splits > 1) {
          EXPECT_LE(splits * requests * heads, 132);
        }
      }
    }
  }
  EXPECT_EQ(xqa_splits(132, 1, 8, 1 << 20), 16);
  EXPECT_EQ(xqa_splits(132, 1, 8, 600), 3);
}

// A workspace for bounds holds whatever stays within them.
TEST(Sizes, NeverFallAsBoundsGrow) {
  Random random(9);
  for (int round = 0; round < 2000; ++round) {
    Layer layer = random_layer(random);
    layer.decode = random.one_in(2);
    layer.window = random.one_in(3) ? 1 + random.upto(400) : 0;
    const attnrt_bounds less{sizeof(attnrt_bounds), 1 + random.upto(6000), 1 + random.upto(600000),
                             1 + random.upto(9000), 1 + random.upto(100000)};
    attnrt_bounds more = less;
    more.sequences += random.upto(3000);
    more.tokens += random.upto(300000);
    more.q_len += random.upto(3000);
    more.kv_len += random.upto(3000);
    const auto expect_grown = [&](const attnrt_workspace_sizes& a,
                                  const attnrt_workspace_sizes& b) {
      EXPECT_LE(a.state.bytes, b.state.bytes);
      EXPECT_LE(a.scratch.bytes, b.scratch.bytes);
      EXPECT_LE(a.staging.bytes, b.staging.bytes);
    };
    const Capacity a = capacity_of(layer, less);
    const Capacity b = capacity_of(layer, more);
    expect_grown(size_workspace(layer, 132, a), size_workspace(layer, 132, b));
    expect_grown(size_hopper(layer, 132, a), size_hopper(layer, 132, b));
    expect_grown(size_xqa(layer, 132, xqa_capacity_of(layer, less)),
                 size_xqa(layer, 132, xqa_capacity_of(layer, more)));
  }
}

}  // namespace
}  // namespace attnrt::flashinfer
