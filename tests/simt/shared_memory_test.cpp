// Mistakes with shared memory, each beside the sound kernel that looks like it.
#include "tests/simt/simt_test.hpp"

namespace attnrt::cuda {
namespace {

using simt::every_setting;
using simt::run;
using simt::setting_name;
using simt::SimtTest;

using testing::HasSubstr;

struct None {};
struct Vector {
  uint32_t words[4];
};

template <class T>
ATTNRT_DEVICE SharedAddress own(SharedAddress element) {
  return shared_memory() + element * static_cast<SharedAddress>(sizeof(T));
}
ATTNRT_DEVICE SharedAddress me() {
  return static_cast<SharedAddress>(thread_index());
}

std::string run_in(void (*kernel)(None), int threads, uint32_t shared_bytes = 1024) {
  return run(kernel, {2, threads, shared_bytes, nullptr}, None{});
}

class SharedMemoryOf : public SimtTest {};

// ---- Bounds, alignment, bytes never written

template <class T, int kOffset>
ATTNRT_KERNEL(32, 1)
touch(const ATTNRT_ARGUMENT None) {
  if (thread_index() != 5) return;
  const SharedAddress at = shared_memory() + static_cast<SharedAddress>(kOffset);
  store_shared<T>(at, T{});
  load_shared<T>(at);
}

TEST_P(SharedMemoryOf, HasItsBytesAndNoMore) {
  EXPECT_EQ((run_in(touch<uint32_t, 0>, 32, 64)), "");
  EXPECT_EQ((run_in(touch<uint32_t, 60>, 32, 64)), "");
  EXPECT_THAT((run_in(touch<uint32_t, 64>, 32, 64)),
              HasSubstr("thread 5 writes shared bytes [64, 68) of 64"));
  EXPECT_THAT((run_in(touch<uint32_t, -4>, 32, 64)), HasSubstr("below the block's shared memory"));
  EXPECT_THAT((run_in(touch<uint32_t, 0>, 32, 0)), HasSubstr("[0, 4) of 0"));
  EXPECT_EQ((run_in(touch<Vector, 48>, 32, 64)), "");
  EXPECT_THAT((run_in(touch<Vector, 48>, 32, 60)), HasSubstr("[48, 64) of 60"));
}

TEST_P(SharedMemoryOf, WantsAlignedAccesses) {
  EXPECT_EQ((run_in(touch<uint8_t, 3>, 32)), "");
  EXPECT_EQ((run_in(touch<uint64_t, 8>, 32)), "");
  EXPECT_THAT((run_in(touch<uint16_t, 3>, 32)), HasSubstr("[3, 5), which are not aligned"));
  EXPECT_THAT((run_in(touch<uint64_t, 4>, 32)), HasSubstr("[4, 12), which are not aligned"));
  EXPECT_THAT((run_in(touch<Vector, 8>, 32)), HasSubstr("[8, 24), which are not aligned"));
}

template <bool kAll>
ATTNRT_KERNEL(32, 1)
read_written(const ATTNRT_ARGUMENT None) {
  if (kAll || thread_index() != 7) store_shared<uint8_t>(shared_memory() + me(), uint8_t{1});
  sync_block();
  if (thread_index() < 2) load_shared<Vector>(own<Vector>(me() % 2));
}

TEST_P(SharedMemoryOf, WantsEveryByteWrittenBeforeItIsRead) {
  EXPECT_EQ(run_in(read_written<true>, 32), "");
  EXPECT_THAT(run_in(read_written<false>, 32),
              HasSubstr("thread 0 reads shared bytes [0, 16), which nobody has written yet"));
}

// Only the first block to run writes.
struct Written {
  int* blocks;
};
ATTNRT_KERNEL(32, 1) read_last_block(const ATTNRT_ARGUMENT Written p) {
  if (thread_index() != 0) return;
  if ((*p.blocks)++ == 0) store_shared<uint32_t>(shared_memory(), 1);
  load_shared<uint32_t>(shared_memory());
}

TEST_P(SharedMemoryOf, ForgetsWhatAnotherBlockWrote) {
  int blocks = 0;
  EXPECT_EQ(run(read_last_block, {1, 32, 64, nullptr}, Written{&blocks}), "");
  blocks = 0;
  EXPECT_THAT(run(read_last_block, {2, 32, 64, nullptr}, Written{&blocks}),
              HasSubstr("which nobody has written yet"));
}

// ---- Races

enum class Between { kNothing, kShuffle, kWarpBarrier, kBlockBarrier };

template <Between kBetween>
ATTNRT_DEVICE void order() {
  if (kBetween == Between::kShuffle) shuffle_xor(0.0F, 1);
  if (kBetween == Between::kWarpBarrier) sync_warp();
  if (kBetween == Between::kBlockBarrier) sync_block();
}

// Each thread writes an element; then each reads that of the thread kDistance before.
template <class T, Between kBetween, int kDistance>
ATTNRT_KERNEL(64, 1)
write_read(const ATTNRT_ARGUMENT None) {
  store_shared<T>(own<T>(me()), T{});
  order<kBetween>();
  load_shared<T>(own<T>((me() + 64 - kDistance) % 64));
}

TEST_P(SharedMemoryOf, TellsAReadOfWhatAnotherThreadWritesAtTheTime) {
  EXPECT_EQ((run_in(write_read<uint32_t, Between::kNothing, 0>, 64)), "");
  EXPECT_EQ((run_in(write_read<uint32_t, Between::kBlockBarrier, 1>, 64)), "");
  EXPECT_EQ((run_in(write_read<Vector, Between::kBlockBarrier, 33>, 64)), "");
  // A read that comes first is one of bytes never written; the other direction tells the race.
  EXPECT_NE((run_in(write_read<uint32_t, Between::kNothing, 1>, 64)), "");
  EXPECT_THAT((run_in(write_read<uint8_t, Between::kShuffle, 1>, 32)), HasSubstr("thread"));
  EXPECT_THAT((run_in(write_read<Vector, Between::kShuffle, 1>, 64)), HasSubstr("thread"));
}

// Within a warp a barrier of the warp is enough, between warps not.
template <class T, Between kBetween, bool kSameWarp>
ATTNRT_KERNEL(64, 1)
exchange(const ATTNRT_ARGUMENT None) {
  store_shared<T>(own<T>(me()), T{});
  sync_block();
  load_shared<T>(own<T>(kSameWarp ? me() ^ 1U : me() ^ 32U));
  order<kBetween>();
  store_shared<T>(own<T>(me()), T{});
}

template <class T>
void expect_write_behind_read_told() {
  EXPECT_EQ((run_in(exchange<T, Between::kWarpBarrier, true>, 64)), "");
  EXPECT_EQ((run_in(exchange<T, Between::kBlockBarrier, true>, 64)), "");
  EXPECT_EQ((run_in(exchange<T, Between::kBlockBarrier, false>, 64)), "");
  const char* race = "without a barrier between";
  EXPECT_THAT((run_in(exchange<T, Between::kNothing, true>, 64)), HasSubstr(race));
  EXPECT_THAT((run_in(exchange<T, Between::kShuffle, true>, 64)), HasSubstr(race));
  EXPECT_THAT((run_in(exchange<T, Between::kNothing, false>, 64)), HasSubstr(race));
  EXPECT_THAT((run_in(exchange<T, Between::kShuffle, false>, 64)), HasSubstr(race));
  EXPECT_THAT((run_in(exchange<T, Between::kWarpBarrier, false>, 64)), HasSubstr(race));
}

TEST_P(SharedMemoryOf, TellsAWriteOfWhatAnotherThreadReadsAtTheTime) {
  expect_write_behind_read_told<uint8_t>();
  expect_write_behind_read_told<uint32_t>();
  expect_write_behind_read_told<Vector>();
}

// All read one element, and then kWriter writes it.
template <Between kBetween, int kWriter>
ATTNRT_KERNEL(64, 1)
read_by_all(const ATTNRT_ARGUMENT None) {
  if (thread_index() == kWriter) store_shared<uint32_t>(shared_memory(), 1);
  sync_block();
  load_shared<uint32_t>(shared_memory());
  order<kBetween>();
  load_shared<uint32_t>(shared_memory());
  order<kBetween>();
  if (thread_index() == kWriter) store_shared<uint32_t>(shared_memory(), 1);
}

TEST_P(SharedMemoryOf, RemembersReadersOfAllWarps) {
  EXPECT_EQ((run_in(read_by_all<Between::kBlockBarrier, 40>, 64)), "");
  EXPECT_EQ((run_in(read_by_all<Between::kWarpBarrier, 20>, 32)), "");
  const char* race = "without a barrier between";
  EXPECT_THAT((run_in(read_by_all<Between::kNothing, 0>, 64)), HasSubstr(race));
  EXPECT_THAT((run_in(read_by_all<Between::kShuffle, 20>, 32)), HasSubstr(race));
  // Whichever warp runs last: one of the two writers follows the other warp's reads.
  EXPECT_NE((run_in(read_by_all<Between::kWarpBarrier, 0>, 64)) +
                (run_in(read_by_all<Between::kWarpBarrier, 63>, 64)),
            "");
}

template <Between kBetween, int kOther>
ATTNRT_KERNEL(64, 1)
write_write(const ATTNRT_ARGUMENT None) {
  if (thread_index() == 3) store_shared<uint16_t>(shared_memory() + 6, uint16_t{1});
  order<kBetween>();
  if (thread_index() == kOther) store_shared<uint8_t>(shared_memory() + 7, uint8_t{1});
}

TEST_P(SharedMemoryOf, TellsTwoWritersOfAByte) {
  EXPECT_EQ((run_in(write_write<Between::kNothing, 3>, 64)), "");
  EXPECT_EQ((run_in(write_write<Between::kWarpBarrier, 4>, 64)), "");
  EXPECT_EQ((run_in(write_write<Between::kBlockBarrier, 40>, 64)), "");
  const char* race = "writes without a barrier between";
  EXPECT_THAT((run_in(write_write<Between::kNothing, 4>, 64)), HasSubstr(race));
  EXPECT_THAT((run_in(write_write<Between::kShuffle, 4>, 64)), HasSubstr(race));
  EXPECT_THAT((run_in(write_write<Between::kWarpBarrier, 40>, 64)), HasSubstr(race));
}

// Bytes of one line that belong to different threads.
ATTNRT_KERNEL(64, 1) neighbours(const ATTNRT_ARGUMENT None) {
  for (int i = 0; i < 3; ++i) {
    store_shared<uint8_t>(shared_memory() + me(), uint8_t{1});
    load_shared<uint8_t>(shared_memory() + me());
  }
  sync_block();
  load_shared<Vector>(own<Vector>(me() % 4));
  sync_block();
  if (me() < 4) store_shared<Vector>(own<Vector>(me()), Vector{});
}

TEST_P(SharedMemoryOf, TakesNeighboursForWhatTheyAre) {
  EXPECT_EQ(run_in(neighbours, 64), "");
}

ATTNRT_KERNEL(64, 1) named_race(const ATTNRT_ARGUMENT None) {
  if (thread_index() == 9) store_shared<Vector>(own<Vector>(32), Vector{});
  sync_warp();
  if (thread_index() == 60) load_shared<Vector>(own<Vector>(32));
}

TEST(SharedMemoryText, NamesBlockThreadsAndBytes) {
  EXPECT_EQ(run_in(named_race, 64),
            "block 0: thread 60 reads shared bytes [512, 528), which thread 9 writes without a "
            "barrier between");
}

INSTANTIATE_TEST_SUITE_P(Settings, SharedMemoryOf, every_setting(), setting_name);

}  // namespace
}  // namespace attnrt::cuda
