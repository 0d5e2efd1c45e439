// Copies that land later: who may see their bytes, and when.
#include "tests/simt/simt_test.hpp"

namespace attnrt::cuda {
namespace {

using simt::every_setting;
using simt::Landing;
using simt::run;
using simt::setting_name;
using simt::SimtTest;

using testing::HasSubstr;

struct CopyParams {
  const uint8_t* from;
  uint32_t* to;
};

ATTNRT_DEVICE SharedAddress slot(int i) {
  return shared_memory() + static_cast<SharedAddress>(i) * 16;
}

class AsyncCopyOf : public SimtTest {
 protected:
  std::string run_on(void (*kernel)(CopyParams)) {
    for (size_t i = 0; i < sizeof(from_); ++i) from_[i] = static_cast<uint8_t>(i);
    return run(kernel, {1, 32, 4096, nullptr}, CopyParams{from_, to_});
  }

  alignas(16) uint8_t from_[1024];
  uint32_t to_[32] = {};
};

// Each thread its own: no barrier is needed.
template <int kPending>
ATTNRT_KERNEL(32, 1)
copy_own(const ATTNRT_ARGUMENT CopyParams p) {
  const int t = thread_index();
  for (int i = 0; i < 3; ++i) {
    copy_async<4>(slot(3 * t + i), p.from + 4 * (3 * t + i), true);
    commit_copies();
  }
  wait_copies<kPending>();
  p.to[t] = load_shared<uint32_t>(slot(3 * t + 1));
  wait_copies<0>();
}

TEST_P(AsyncCopyOf, HasLandedOnceItsGroupIsWaitedFor) {
  EXPECT_EQ(run_on(copy_own<0>), "");
  EXPECT_EQ(to_[1], 0x13121110U);
  EXPECT_EQ(run_on(copy_own<1>), "");
  EXPECT_EQ(to_[1], 0x13121110U);
  EXPECT_THAT(run_on(copy_own<2>), HasSubstr("is still in flight"));
}

ATTNRT_KERNEL(32, 1) wait_without_commit(const ATTNRT_ARGUMENT CopyParams p) {
  copy_async<4>(slot(thread_index()), p.from, true);
  wait_copies<0>();
  load_shared<uint32_t>(slot(thread_index()));
}

TEST_P(AsyncCopyOf, IsNotWaitedForInAnOpenGroup) {
  EXPECT_THAT(run_on(wait_without_commit), HasSubstr("is still in flight"));
}

template <bool kBarrier>
ATTNRT_KERNEL(32, 1)
copy_others(const ATTNRT_ARGUMENT CopyParams p) {
  const int t = thread_index();
  copy_async<16>(slot(t), p.from + 16 * t, true);
  commit_copies();
  wait_copies<0>();
  if (kBarrier) sync_warp();
  p.to[t] = load_shared<uint32_t>(slot(31 - t));
}

TEST_P(AsyncCopyOf, IsSeenByOthersBehindABarrier) {
  EXPECT_EQ(run_on(copy_others<true>), "");
  EXPECT_EQ(to_[31], 0x03020100U);
  EXPECT_THAT(run_on(copy_others<false>),
              testing::AnyOf(HasSubstr("without a barrier"), HasSubstr("in flight"),
                             HasSubstr("nobody has written yet")));
}

ATTNRT_KERNEL(32, 1) write_in_flight(const ATTNRT_ARGUMENT CopyParams p) {
  if (thread_index() != 9) return;
  copy_async<8>(slot(0), p.from, true);
  store_shared<uint8_t>(slot(0) + 7, uint8_t{0});
}
ATTNRT_KERNEL(32, 1) copy_twice(const ATTNRT_ARGUMENT CopyParams p) {
  if (thread_index() != 9) return;
  copy_async<16>(slot(0), p.from, true);
  copy_async<4>(slot(0) + 4, p.from, true);
}

TEST_P(AsyncCopyOf, ForbidsWritingWhereItWillLand) {
  EXPECT_EQ(run_on(write_in_flight),
            "block 0: thread 9 writes shared bytes [7, 8), where a copy of thread 9 is still in "
            "flight");
  EXPECT_EQ(run_on(copy_twice),
            "block 0: thread 9 copies to shared bytes [4, 8), where a copy of thread 9 is still in "
            "flight");
}

ATTNRT_KERNEL(32, 1) copy_zeros(const ATTNRT_ARGUMENT CopyParams p) {
  const int t = thread_index();
  copy_async<16>(slot(t), nullptr, false);
  copy_async<8>(slot(t + 32), p.from, t % 2 == 0);
  commit_copies();
  wait_copies<0>();
  p.to[t] = load_shared<uint32_t>(slot(t) + 12) + load_shared<uint32_t>(slot(t + 32) + 4);
}

TEST_P(AsyncCopyOf, WritesZerosWhereItIsNotValid) {
  EXPECT_EQ(run_on(copy_zeros), "");
  EXPECT_EQ(to_[4], 0x07060504U);
  EXPECT_EQ(to_[5], 0U);
}

template <int kGlobal, int kShared>
ATTNRT_KERNEL(32, 1)
copy_at(const ATTNRT_ARGUMENT CopyParams p) {
  copy_async<8>(slot(thread_index()) + kShared, p.from + kGlobal, true);
  commit_copies();
  wait_copies<0>();
}

TEST_P(AsyncCopyOf, WantsBothAddressesAligned) {
  EXPECT_EQ((run_on(copy_at<8, 8>)), "");
  EXPECT_THAT((run_on(copy_at<4, 8>)), HasSubstr("8 bytes from a global address"));
  EXPECT_THAT((run_on(copy_at<8, 4>)), HasSubstr("which are not aligned"));
}

// Global memory changes between issue and landing: seen late, not early.
struct Changing {
  uint32_t* from;
  uint32_t* to;
};
ATTNRT_KERNEL(32, 1) copy_changing(const ATTNRT_ARGUMENT Changing p) {
  if (thread_index() != 0) return;
  copy_async<4>(slot(0), p.from, true);
  commit_copies();
  *p.from = 2;
  wait_copies<0>();
  *p.to = load_shared<uint32_t>(slot(0));
}

TEST_P(AsyncCopyOf, ReadsWhenItLands) {
  uint32_t from = 1;
  uint32_t to = 0;
  EXPECT_EQ(run(copy_changing, {1, 32, 64, nullptr}, Changing{&from, &to}), "");
  EXPECT_EQ(to, GetParam().landing == Landing::kEarly ? 1U : 2U);
}

INSTANTIATE_TEST_SUITE_P(Settings, AsyncCopyOf, every_setting(), setting_name);

}  // namespace
}  // namespace attnrt::cuda
