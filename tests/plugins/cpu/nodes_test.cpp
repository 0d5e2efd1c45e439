// Memory nodes, told by a machine of two that there isn't, and the order of items that follows from
// them.
#include "plugins/cpu/nodes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "plugins/cpu/item_queue.hpp"

namespace attnrt::cpu {
namespace {

using ::testing::ElementsAre;

int questions = 0;
int answer = 1;

Nodes two_nodes() {
  questions = 0;
  return Nodes({[] { return 2; }, [] { return answer; },
                [](const void*) {
                  ++questions;
                  return answer;
                }});
}

TEST(Nodes, OfThisMachineKnowItsThreadsAndPages) {
  Nodes nodes;
  EXPECT_GE(nodes.count(), 1);
  EXPECT_GE(nodes.here(), 0);
  EXPECT_LT(nodes.here(), nodes.count());
  const int here = nodes.of(&nodes);
  EXPECT_GE(here, 0);
  EXPECT_LT(here, nodes.count());
}

TEST(Nodes, AreAskedOnceForAHugePage) {
  Nodes nodes = two_nodes();
  answer = 1;
  const auto* page = reinterpret_cast<const char*>(uintptr_t{1} << 30);
  EXPECT_EQ(nodes.of(page), 1);
  EXPECT_EQ(nodes.of(page + (1 << 21) - 1), 1);
  EXPECT_EQ(questions, 1);
  EXPECT_EQ(nodes.of(page + (1 << 21)), 1);
  EXPECT_EQ(questions, 2);
  answer = 0;
  EXPECT_EQ(nodes.of(page), 1);
  nodes.forget();
  EXPECT_EQ(nodes.of(page), 0);
}

TEST(Nodes, ThatAreNotKnownAreTheFirst) {
  Nodes nodes = two_nodes();
  for (const int unknown : {-1, 2}) {
    answer = unknown;
    EXPECT_EQ(nodes.here(), 0);
    EXPECT_EQ(nodes.of(&nodes), 0);
  }
  answer = -1;
  nodes.forget();
  questions = 0;
  static_cast<void>(nodes.of(&nodes));
  static_cast<void>(nodes.of(&nodes));
  EXPECT_EQ(questions, 2) << "a page without a node may get one";
}

TEST(Nodes, AreCountedInAList) {
  EXPECT_EQ(count_of_list("0"), 1);
  EXPECT_EQ(count_of_list("0-1"), 2);
  EXPECT_EQ(count_of_list("0,2-5"), 6);
  EXPECT_EQ(count_of_list("0-1,7"), 8);
  EXPECT_EQ(count_of_list(""), 1);
}

// Blocks of 1 MiB, two a huge page; every second huge page lives on node 1.
TEST(Nodes, OfItemsAreThoseOfTheirKeysInTheMiddle) {
  Nodes nodes(
      {[] { return 2; }, [] { return 0; },
       [](const void* p) { return static_cast<int>(reinterpret_cast<uintptr_t>(p) >> 21 & 1); }});
  const int32_t table[2][3] = {{0, 2, 4}, {5, 3, 7}};
  AttendParams p{};
  p.layer.block_size = 16;
  p.batch.block_table = table[0];
  p.batch.block_table_stride = 3;
  p.k.data = reinterpret_cast<uint8_t*>(uintptr_t{1} << 30);
  p.k.block_stride = 1 << 20;
  std::vector<WorkItem> items(4);
  items[0].kv_end = 48;    // key 24: block 2, the second huge page
  items[1].kv_begin = 32;  // key 40: block 4, the third
  items[1].kv_end = 48;
  items[2].rows.sequence = 1;
  items[2].kv_end = 48;                      // key 24: block 3, the second
  items[3].kv_begin = items[3].kv_end = 48;  // none
  std::vector<int> found = {7};
  find_nodes(items, p, nodes, found);
  EXPECT_THAT(found, ElementsAre(1, 0, 1, 0));
}

std::vector<size_t> take_all(ItemQueue& queue, int node) {
  std::vector<size_t> taken;
  for (size_t i = queue.take(node); i != ItemQueue::kNone; i = queue.take(node)) taken.push_back(i);
  return taken;
}

TEST(ItemQueue, GivesItemsOfOneNodeInTheirOrder) {
  ItemQueue queue(1);
  for (int round = 0; round < 2; ++round) {
    queue.fill(3);
    EXPECT_THAT(take_all(queue, 0), ElementsAre(0, 1, 2));
  }
}

TEST(ItemQueue, GivesThoseOfTheOwnNodeFirst) {
  ItemQueue queue(3);
  const std::vector<int> nodes = {1, 0, 1, 2, 0};
  queue.fill(nodes);
  EXPECT_THAT(take_all(queue, 1), ElementsAre(0, 2, 3, 1, 4));
  queue.fill(nodes);
  EXPECT_EQ(queue.take(2), 3U);
  EXPECT_THAT(take_all(queue, 0), ElementsAre(1, 4, 0, 2));
  queue.fill(2);  // the next batch, whose pages are not looked up
  EXPECT_THAT(take_all(queue, 2), ElementsAre(0, 1));
}

TEST(ItemQueue, GivesEachItemOnceToThreadsOfAllNodes) {
  constexpr int kNodes = 3;
  constexpr size_t kItems = 3000;
  ItemQueue queue(kNodes);
  std::vector<int> nodes;
  for (size_t i = 0; i < kItems; ++i) nodes.push_back(i % 7 == 0 ? 0 : 2);
  queue.fill(nodes);
  std::vector<size_t> taken[kNodes];
  std::vector<std::thread> threads;
  for (int n = 0; n < kNodes; ++n) {
    threads.emplace_back([&, n] { taken[n] = take_all(queue, n); });
  }
  for (std::thread& t : threads) t.join();
  std::vector<size_t> all;
  for (const auto& some : taken) all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), kItems);
  for (size_t i = 0; i < kItems; ++i) ASSERT_EQ(all[i], i);
}

}  // namespace
}  // namespace attnrt::cpu
