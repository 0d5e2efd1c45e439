// Bulk copies and the landings that count their bytes.
#include "tests/simt/simt_test.hpp"

namespace attnrt::cuda {
namespace {

using simt::every_setting;
using simt::run;
using simt::setting_name;
using simt::SimtTest;

using testing::HasSubstr;

constexpr int kThreadsOf = 64;
constexpr int kRowBytes = 48;

struct BulkParams {
  const uint8_t* from;
  uint32_t* to;
};

ATTNRT_DEVICE SharedAddress landing(int i) {
  return shared_memory() + static_cast<SharedAddress>(i) * 8;
}
ATTNRT_DEVICE SharedAddress row(int i) {
  return shared_memory() + 64 + static_cast<SharedAddress>(i * kRowBytes);
}
ATTNRT_DEVICE void init() {
  if (thread_index() == 0) {
    init_landing(landing(0));
    init_landing(landing(1));
  }
  sync_block();
}
ATTNRT_DEVICE void copy_own_row(const BulkParams& p, int of = 0) {
  const int t = thread_index();
  if (t == 7) expect_landing(landing(of), kThreadsOf * kRowBytes);
  copy_bulk(row(t), p.from + t * kRowBytes, kRowBytes, landing(of));
}

class BulkCopyOf : public SimtTest {
 protected:
  BulkCopyOf() { simt::settings().bulk_copies = true; }

  std::string run_on(void (*kernel)(BulkParams)) {
    for (size_t i = 0; i < sizeof(from_); ++i) from_[i] = static_cast<uint8_t>(i);
    return run(kernel, {1, kThreadsOf, 8192, nullptr}, BulkParams{from_, to_});
  }

  alignas(16) uint8_t from_[kThreadsOf * kRowBytes];
  uint32_t to_[kThreadsOf] = {};
};

ATTNRT_KERNEL(kThreadsOf, 1) copy_rows(const ATTNRT_ARGUMENT BulkParams p) {
  init();
  copy_own_row(p);
  wait_landing(landing(0), 0);
  sync_block();
  p.to[thread_index()] = load_shared<uint32_t>(row(63 - thread_index()) + 16);
}

TEST_P(BulkCopyOf, HasLandedOnceItsLandingIsWaitedFor) {
  EXPECT_EQ(run_on(copy_rows), "");
  for (int t = 0; t < kThreadsOf; ++t) {
    const auto first = static_cast<uint8_t>((63 - t) * kRowBytes + 16);
    EXPECT_EQ(to_[t] & 0xFFU, first);
  }
}

ATTNRT_KERNEL(kThreadsOf, 1) read_at_once(const ATTNRT_ARGUMENT BulkParams p) {
  init();
  copy_own_row(p);
  sync_block();
  p.to[thread_index()] = load_shared<uint32_t>(row(thread_index()));
}
ATTNRT_KERNEL(kThreadsOf, 1) wait_for_the_wrong_phase(const ATTNRT_ARGUMENT BulkParams p) {
  init();
  copy_own_row(p);
  wait_landing(landing(0), 1);
  sync_block();
  p.to[thread_index()] = load_shared<uint32_t>(row(thread_index()));
}

TEST_P(BulkCopyOf, IsInFlightUntilThen) {
  EXPECT_THAT(run_on(read_at_once), HasSubstr("is still in flight"));
  EXPECT_THAT(run_on(wait_for_the_wrong_phase), HasSubstr("is still in flight"));
}

ATTNRT_KERNEL(kThreadsOf, 1) no_barrier_behind(const ATTNRT_ARGUMENT BulkParams p) {
  init();
  copy_own_row(p);
  wait_landing(landing(0), 0);
  p.to[thread_index()] = load_shared<uint32_t>(row(63 - thread_index()));
}

TEST_P(BulkCopyOf, IsSeenByOthersBehindABarrier) {
  EXPECT_THAT(run_on(no_barrier_behind), HasSubstr("without a barrier"));
}

ATTNRT_KERNEL(kThreadsOf, 1) copy_in_phases(const ATTNRT_ARGUMENT BulkParams p) {
  init();
  uint32_t sum = 0;
  for (uint32_t i = 0; i < 4; ++i) {
    const int of = static_cast<int>(i % 2);
    copy_own_row(p, of);
    wait_landing(landing(of), i / 2 % 2);
    sync_block();
    sum += load_shared<uint32_t>(row(thread_index()));
    sync_block();
  }
  p.to[thread_index()] = sum;
}

TEST_P(BulkCopyOf, GoesThroughPhases) {
  EXPECT_EQ(run_on(copy_in_phases), "");
  EXPECT_EQ(to_[0], 4 * 0x03020100U);
}

ATTNRT_KERNEL(kThreadsOf, 1) expect_too_much(const ATTNRT_ARGUMENT BulkParams p) {
  init();
  if (thread_index() == 0) expect_landing(landing(0), kThreadsOf * kRowBytes + 16);
  copy_bulk(row(thread_index()), p.from, kRowBytes, landing(0));
  wait_landing(landing(0), 0);
}
ATTNRT_KERNEL(kThreadsOf, 1) expect_nothing(const ATTNRT_ARGUMENT BulkParams p) {
  init();
  copy_bulk(row(thread_index()), p.from, kRowBytes, landing(0));
  wait_landing(landing(0), 0);
}

TEST_P(BulkCopyOf, IsWaitedForInVainWhereBytesAreMissing) {
  EXPECT_THAT(run_on(expect_too_much), HasSubstr("3072 bytes are under way, 3088 are expected"));
  EXPECT_THAT(run_on(expect_nothing), HasSubstr("nobody said how many"));
}

ATTNRT_KERNEL(kThreadsOf, 1) leave(const ATTNRT_ARGUMENT BulkParams p) {
  init();
  copy_own_row(p);
}
ATTNRT_KERNEL(kThreadsOf, 1) never_made(const ATTNRT_ARGUMENT BulkParams p) {
  if (thread_index() != 0) return;
  store_shared<uint32_t>(landing(2), 0);
  store_shared<uint32_t>(landing(2) + 4, 0);
  copy_bulk(row(0), p.from, kRowBytes, landing(2));
}
ATTNRT_KERNEL(kThreadsOf, 1) not_ordered(const ATTNRT_ARGUMENT BulkParams p) {
  if (thread_index() == 0) init_landing(landing(0));
  copy_own_row(p);
}
template <int kFrom, int kBytes>
ATTNRT_KERNEL(kThreadsOf, 1)
copy_at(const ATTNRT_ARGUMENT BulkParams p) {
  init();
  if (thread_index() == 0) copy_bulk(row(0), p.from + kFrom, kBytes, landing(0));
}

TEST_P(BulkCopyOf, TellsOfMistakes) {
  EXPECT_THAT(run_on(leave), HasSubstr("ends with bulk copies in flight"));
  EXPECT_THAT(run_on(never_made), HasSubstr("which it was not made"));
  EXPECT_THAT(run_on(not_ordered),
              testing::AnyOf(HasSubstr("without a barrier"), HasSubstr("nobody has written yet")));
  EXPECT_THAT((run_on(copy_at<8, 16>)), HasSubstr("must be multiples of 16"));
  EXPECT_THAT((run_on(copy_at<0, 24>)), HasSubstr("must be multiples of 16"));
}

INSTANTIATE_TEST_SUITE_P(Settings, BulkCopyOf, every_setting(), setting_name);

}  // namespace
}  // namespace attnrt::cuda
