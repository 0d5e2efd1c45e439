// Barriers and collectives that not all come to, threads that throw, launches that can't be, and
// the order in which threads and blocks run.
#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "tests/simt/simt_test.hpp"

namespace attnrt::cuda {
namespace {

using simt::every_setting;
using simt::Order;
using simt::run;
using simt::setting_name;
using simt::settings;
using simt::SimtTest;

using testing::AllOf;
using testing::AnyOf;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::StartsWith;

struct Log {
  std::vector<int>* entries;
};

std::string run_in(void (*kernel)(Log), int threads, int blocks = 2) {
  std::vector<int> entries;
  return run(kernel, {blocks, threads, 256, nullptr}, Log{&entries});
}

class Rendezvous : public SimtTest {};

ATTNRT_KERNEL(64, 1) sound(const ATTNRT_ARGUMENT Log) {
  sync_block();
  if (thread_index() < 32) sync_warp();
  sync_block();
}

ATTNRT_KERNEL(64, 1) ends_before_barrier(const ATTNRT_ARGUMENT Log) {
  if (thread_index() == 45) return;
  sync_block();
}

TEST_P(Rendezvous, TellsABarrierThatAThreadEndedBefore) {
  EXPECT_EQ(run_in(sound, 64), "");
  EXPECT_THAT(run_in(ends_before_barrier, 64),
              HasSubstr("thread 0 waits at the block's barrier, while thread 45 has ended"));
  EXPECT_EQ(run_in(sound, 64), "");
}

ATTNRT_KERNEL(64, 1) barrier_against_collective(const ATTNRT_ARGUMENT Log) {
  if (thread_index() % 32 == 4) {
    sync_block();
  } else {
    shuffle_xor(0.0F, 1);
  }
}

TEST_P(Rendezvous, TellsACollectiveThatAThreadWaitsElsewhereFrom) {
  EXPECT_THAT(run_in(barrier_against_collective, 64),
              AnyOf(HasSubstr("thread 0 waits at shuffle_xor, while thread 4 waits at the block's "
                              "barrier"),
                    HasSubstr("thread 32 waits at shuffle_xor, while thread 36 waits at the "
                              "block's barrier")));
}

ATTNRT_KERNEL(32, 1) divergent(const ATTNRT_ARGUMENT Log) {
  if (thread_index() < 16) any_lane(true);
}
ATTNRT_KERNEL(32, 1) different(const ATTNRT_ARGUMENT Log) {
  float c[4] = {};
  const uint32_t a[4] = {};
  if (thread_index() < 16) {
    multiply_add<F16>(c, a, 0, 0);
  } else {
    multiply_add<Bf16>(c, a, 0, 0);
  }
}

TEST_P(Rendezvous, TellsACollectiveInDivergentCode) {
  EXPECT_THAT(run_in(divergent, 32),
              HasSubstr("thread 0 waits at any_lane, while thread 16 has ended"));
  EXPECT_THAT(run_in(different, 32),
              AllOf(HasSubstr("comes to multiply_add"), HasSubstr("waits at multiply_add")));
}

// What a thread holds when it has to leave the kernel.
struct Guard {
  explicit Guard(Log log) : entries(log.entries) { entries->push_back(1); }
  ~Guard() { entries->push_back(-1); }
  std::vector<int>* entries;
};
ATTNRT_KERNEL(64, 1) throws(const ATTNRT_ARGUMENT Log log) {
  const Guard guard(log);
  sync_block();
  if (thread_index() == 50) throw std::runtime_error("no more");
  sync_block();
}

TEST_P(Rendezvous, TellsAnExceptionAndLeadsAllThreadsOut) {
  std::vector<int> entries;
  EXPECT_EQ(run(throws, {1, 64, 0, nullptr}, Log{&entries}),
            "block 0: thread 50 throws an exception: no more");
  EXPECT_EQ(entries.size(), 128U);
  EXPECT_EQ(std::accumulate(entries.begin(), entries.end(), 0), 0);
  EXPECT_EQ(run_in(sound, 64), "");
}

ATTNRT_KERNEL(64, 1) fails_in_block_2(const ATTNRT_ARGUMENT Log log) {
  if (thread_index() == 0) log.entries->push_back(block_index());
  sync_block();
  if (block_index() == 2 && thread_index() == 1) load_shared<uint32_t>(shared_memory());
}

TEST_P(Rendezvous, NamesTheBlockAndRunsNoFurther) {
  std::vector<int> entries;
  EXPECT_THAT(run(fails_in_block_2, {4, 32, 64, nullptr}, Log{&entries}),
              StartsWith("block 2: thread 1 reads"));
  EXPECT_EQ(entries.back(), 2);
  if (GetParam().blocks == Order::kForward) {
    EXPECT_THAT(entries, ElementsAreArray({0, 1, 2}));
  }
}

TEST_P(Rendezvous, RefusesLaunchesThatADeviceRefuses) {
  std::vector<int> entries;
  const Log log{&entries};
  EXPECT_EQ(run(sound, {1, 48, 0, nullptr}, log),
            "a launch of 48 threads a block: a multiple of 32 up to 1024 was expected");
  EXPECT_NE(run(sound, {1, 0, 0, nullptr}, log), "");
  EXPECT_NE(run(sound, {1, 1056, 0, nullptr}, log), "");
  EXPECT_NE(run(sound, {0, 64, 0, nullptr}, log), "");
  EXPECT_EQ(run(sound, {1, 1024, 0, nullptr}, log), "");
  EXPECT_EQ(run(sound, {1, 64, 99 * 1024, nullptr}, log), "");
  EXPECT_EQ(run(sound, {1, 64, 99 * 1024 + 1, nullptr}, log),
            "a launch with 101377 bytes of shared memory, of which the device has 101376");
  settings().max_shared_bytes = 227 * 1024;
  EXPECT_EQ(run(sound, {1, 64, 227 * 1024, nullptr}, log), "");
}

// ---- Order

ATTNRT_KERNEL(64, 1) log_order(const ATTNRT_ARGUMENT Log log) {
  log.entries->push_back(block_index() * 64 + thread_index());
}

TEST_P(Rendezvous, RunsThreadsAndBlocksInTheChosenOrder) {
  std::vector<int> entries;
  EXPECT_EQ(run(log_order, {2, 64, 0, nullptr}, Log{&entries}), "");
  std::vector<int> expected(128);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(entries == expected, GetParam().threads == Order::kForward);
  std::reverse(expected.begin(), expected.end());
  EXPECT_EQ(entries == expected, GetParam().threads == Order::kReverse);
  EXPECT_THAT(entries, testing::UnorderedElementsAreArray(expected));
}

TEST(RendezvousSeed, RepeatsAndChangesTheOrder) {
  const auto order_of = [](uint64_t seed) {
    settings().threads = Order::kShuffled;
    settings().seed = seed;
    std::vector<int> entries;
    EXPECT_EQ(run(log_order, {1, 64, 0, nullptr}, Log{&entries}), "");
    settings() = {};
    return entries;
  };
  EXPECT_EQ(order_of(3), order_of(3));
  EXPECT_NE(order_of(3), order_of(4));
}

// ---- Threads of the host

struct Ticket {
  uint32_t* arrived;
  unsigned long long* sum;
};
ATTNRT_KERNEL(64, 1) count(const ATTNRT_ARGUMENT Ticket p) {
  sync_block();
  add_counter(p.sum, add_and_order(p.arrived, 1) + 1);
}

TEST_P(Rendezvous, LaunchesFromSeveralThreadsAtATime) {
  uint32_t arrived = 0;
  unsigned long long sum = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      EXPECT_EQ(run(count, {4, 64, 0, nullptr}, Ticket{&arrived, &sum}), "");
    });
  }
  for (std::thread& t : threads) t.join();
  constexpr unsigned kAll = 3 * 4 * 64;
  EXPECT_EQ(arrived, kAll);
  EXPECT_EQ(sum, kAll * (kAll + 1) / 2);
}

INSTANTIATE_TEST_SUITE_P(Settings, Rendezvous, every_setting(), setting_name);

}  // namespace
}  // namespace attnrt::cuda
