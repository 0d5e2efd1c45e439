// Batches as FlashInfer's indptr, indices and last_page_len.
#include "plugins/flashinfer/pages.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "host_batch.hpp"

namespace attnrt::flashinfer {
namespace {

using Ints = std::vector<int32_t>;

Layer layer_of(int32_t block_size, int32_t window = 0) {
  Layer layer{};
  layer.kv_heads = 2;
  layer.group = 4;
  layer.block_size = block_size;
  layer.window = window;
  return layer;
}

// Sequence s has the blocks 100 s, 100 s + 1, …
struct Batch : testing::HostBatch {
  Batch(const Ints& q, const Ints& kv, int32_t stride) {
    kv_len = kv;
    for (size_t s = 0; s < q.size(); ++s) {
      q_start.push_back(q_start.back() + q[s]);
      for (int32_t i = 0; i < stride; ++i) table.push_back(static_cast<int32_t>(s) * 100 + i);
    }
    seal(stride);
  }
};

TEST(MakeRequests, PutsRowsOfTheBlockTableTogether) {
  const Batch batch({1, 3, 1}, {33, 16, 1}, 4);
  const Requests r = make_requests(layer_of(16), batch.b);
  EXPECT_EQ(r.q_begin, (Ints{0, 1, 4, 5}));
  EXPECT_EQ(r.page_begin, (Ints{0, 3, 4, 5}));
  EXPECT_EQ(r.last_page_len, (Ints{1, 16, 1}));
  EXPECT_EQ(r.indices, (Ints{0, 1, 2, 100, 200}));
}

TEST(MakeRequests, HasNoneForSequencesWithoutQueriesAndNoPageWithoutKeys) {
  const Batch batch({0, 1, 0}, {40, 0, 7}, 3);
  const Requests r = make_requests(layer_of(16), batch.b);
  EXPECT_EQ(r.q_begin, (Ints{0, 1}));
  EXPECT_EQ(r.page_begin, (Ints{0, 0}));
  EXPECT_EQ(r.last_page_len, (Ints{0}));
  EXPECT_TRUE(r.indices.empty());
}

TEST(MakeRequests, SetsQueriesThatSeeNothingApart) {
  const Batch batch({5}, {2}, 1);
  const Requests r = make_requests(layer_of(16), batch.b);
  EXPECT_EQ(r.q_begin, (Ints{0, 3, 5}));
  EXPECT_EQ(r.page_begin, (Ints{0, 0, 1}));
  EXPECT_EQ(r.last_page_len, (Ints{0, 2}));
}

TEST(MakeRequests, LeavesOutPagesThatNoQuerySees) {
  // Queries at 38, 39 with a window of 8: keys from 31 on, the last of page 1 of 16.
  const Batch at_31({2}, {40}, 3);
  Requests r = make_requests(layer_of(16, 8), at_31.b);
  EXPECT_EQ(r.indices, (Ints{1, 2}));
  EXPECT_EQ(r.last_page_len, (Ints{8}));
  const Batch at_32({2}, {41}, 3);  // keys from 32 on
  r = make_requests(layer_of(16, 8), at_32.b);
  EXPECT_EQ(r.indices, (Ints{2}));
  EXPECT_EQ(r.last_page_len, (Ints{9}));
}

TEST(MakeRequests, PadsWithRequestsOfNothing) {
  const Batch batch({1}, {20}, 2);
  Requests r = make_requests(layer_of(16), batch.b);
  r.pad(3);
  EXPECT_EQ(r.q_begin, (Ints{0, 1, 1, 1}));
  EXPECT_EQ(r.page_begin, (Ints{0, 2, 2, 2}));
  EXPECT_EQ(r.last_page_len, (Ints{4, 0, 0}));
}

TEST(MakeRequests, NeedsTheBlockTableOnTheHost) {
  Batch batch({1}, {20}, 2);
  batch.b.block_table.host = nullptr;
  EXPECT_THROW(make_requests(layer_of(16), batch.b), PluginError);
}

// FlashInfer's length of a request is the sequence's keys less whole pages; every key that a query
// sees is there; and the bounds' capacity holds what there is.
TEST(MakeRequests, KeepsEveryVisibleKeyWithinBounds) {
  std::mt19937 random(11);
  const auto upto = [&](int32_t n) { return static_cast<int32_t>(random() % uint32_t(n + 1)); };
  for (int round = 0; round < 500; ++round) {
    Layer layer = layer_of(1 + upto(40), upto(1) * upto(90));
    layer.decode = round % 3 == 0;
    attnrt_bounds bounds{};
    bounds.sequences = bounds.tokens = bounds.q_len = 1;
    bounds.kv_len = 1;
    Ints q;
    Ints kv;
    for (int32_t n = upto(12); n > 0; --n) {
      q.push_back(layer.decode ? upto(1) : upto(30));
      kv.push_back(upto(200));
      bounds.q_len = std::max(bounds.q_len, q.back());
      bounds.kv_len = std::max<int64_t>(bounds.kv_len, kv.back());
    }
    bounds.sequences = std::max<int32_t>(1, static_cast<int32_t>(q.size()));
    bounds.tokens = std::max(1, std::accumulate(q.begin(), q.end(), 0));
    const Batch batch(q, kv, 201);
    const Requests r = make_requests(layer, batch.b);
    ASSERT_EQ(r.q_begin.back(), batch.b.tokens);
    EXPECT_TRUE(capacity_of(layer, bounds).holds(capacity_of(r)));
    size_t at = 0;
    for (size_t s = 0; s < q.size(); ++s) {
      if (q[s] == 0) continue;
      if (q[s] > kv[s]) ++at;                    // those that see nothing
      if (q[s] > kv[s] && kv[s] == 0) continue;  // and no others
      const int32_t first_page = r.page_begin[at];
      const int32_t pages = r.page_begin[at + 1] - first_page;
      const int32_t keys = pages == 0 ? 0 : (pages - 1) * layer.block_size + r.last_page_len[at];
      EXPECT_EQ((kv[s] - keys) % layer.block_size, 0);
      const int32_t first_query = std::max(kv[s] - q[s], 0);
      const int32_t first_key =
          layer.window == 0 ? 0 : std::max(first_query - (layer.window - 1), 0);
      EXPECT_LE(kv[s] - keys, first_key);
      EXPECT_LT(first_key - (kv[s] - keys), layer.block_size);
      for (int32_t i = 0; i < pages; ++i) {
        EXPECT_EQ(r.indices[static_cast<size_t>(first_page + i)],
                  static_cast<int32_t>(s) * 100 + (kv[s] - keys) / layer.block_size + i);
      }
      ++at;
    }
    EXPECT_EQ(at, r.last_page_len.size());
  }
}

}  // namespace
}  // namespace attnrt::flashinfer
