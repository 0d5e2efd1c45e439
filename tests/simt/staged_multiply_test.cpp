// A kernel as ours are, small: tiles through two slots by asynchronous copies, ldmatrix, mma. Sound
// it gives what plain loops give; each defect planted in it is told, or changes the result.
#include <random>
#include <utility>

#include "kernels/codec/bf16.h"
#include "kernels/codec/f16.h"
#include "tests/simt/simt_test.hpp"
#include "tests/simt/statistics.hpp"

namespace attnrt::cuda {
namespace {

using simt::every_setting;
using simt::run;
using simt::setting_name;
using simt::SimtTest;
using simt::statistics;

enum class Defect {
  kNone,
  kNoWait,
  kNoBarrierBeforeReading,
  kNoBarrierBehindReading,
  kSwappedFragments,
  kCopiesLeft,
};

constexpr int kTiles = 5;
constexpr int kDepth = 16 * kTiles;
constexpr SharedAddress kPitch = 48;
constexpr SharedAddress kHalf = 16 * kPitch;  // a's rows, then b's
constexpr SharedAddress kSlot = 2 * kHalf;

// c = a b: a 16 x kDepth, b kDepth x 16.
struct MultiplyParams {
  const uint16_t* a;
  const uint16_t* b;
  float* c;
};

// The first warp copies a's tile, the second b's.
ATTNRT_DEVICE void fetch(const MultiplyParams& p, int tile) {
  const int row = thread_index() % 32 / 2;
  const int chunk = thread_index() % 2 * 8;
  const bool second = thread_index() >= 32;
  const uint16_t* from =
      second ? p.b + (tile * 16 + row) * 16 + chunk : p.a + row * kDepth + tile * 16 + chunk;
  const SharedAddress slot = shared_memory() + static_cast<SharedAddress>(tile % 2) * kSlot;
  const SharedAddress to = slot + (second ? kHalf : 0) + static_cast<SharedAddress>(row) * kPitch +
                           static_cast<SharedAddress>(chunk) * 2;
  copy_async<16>(to, from, true);
}

template <class Half, Defect kDefect>
ATTNRT_DEVICE void multiply_tile(int tile, float (&c)[4]) {
  const int lane = thread_index() % 32;
  const int warp = thread_index() / 32;
  const SharedAddress slot = shared_memory() + static_cast<SharedAddress>(tile % 2) * kSlot;
  const SharedAddress row = slot + static_cast<SharedAddress>(lane % 16) * kPitch;
  uint32_t a[4];
  uint32_t b[4];
  load_matrices(a, row + static_cast<SharedAddress>(lane / 16) * 16);
  load_matrices_transposed(b, row + kHalf + static_cast<SharedAddress>(warp) * 16);
  if (kDefect == Defect::kSwappedFragments) std::swap(a[1], a[2]);
  multiply_add<Half>(c, a, b[0], b[1]);
}

template <class Half, Defect kDefect>
ATTNRT_KERNEL(64, 1)
multiply(const ATTNRT_ARGUMENT MultiplyParams p) {
  float c[4] = {};
  fetch(p, 0);
  commit_copies();
  for (int tile = 0; tile < kTiles; ++tile) {
    if (tile + 1 < kTiles) fetch(p, tile + 1);
    commit_copies();
    if (kDefect != Defect::kNoWait) wait_copies<1>();
    if (kDefect != Defect::kNoBarrierBeforeReading) sync_block();
    multiply_tile<Half, kDefect>(tile, c);
    if (kDefect != Defect::kNoBarrierBehindReading) sync_block();
  }
  if (kDefect == Defect::kCopiesLeft) fetch(p, 0);
  const int row = thread_index() % 32 / 4;
  const int column = thread_index() / 32 * 8 + thread_index() % 4 * 2;
  for (int i = 0; i < 4; ++i) p.c[(row + i / 2 * 8) * 16 + column + i % 2] = c[i];
}

template <class Half>
struct CodecOf {
  using Type = codec::F16;
};
template <>
struct CodecOf<Bf16> {
  using Type = codec::Bf16;
};

// Small whole numbers: their sums of products are exact, in any order.
struct Matrices {
  std::vector<int> values_a, values_b;
  std::vector<uint16_t> a, b;
};

template <class Half>
Matrices make_matrices() {
  Matrices m;
  std::minstd_rand random(7);
  for (int i = 0; i < 16 * kDepth; ++i) {
    m.values_a.push_back(static_cast<int>(random() % 17) - 8);
    m.values_b.push_back(static_cast<int>(random() % 17) - 8);
    m.a.push_back(CodecOf<Half>::Type::encode(static_cast<float>(m.values_a.back())));
    m.b.push_back(CodecOf<Half>::Type::encode(static_cast<float>(m.values_b.back())));
  }
  return m;
}

std::vector<float> plain_loops(const Matrices& m) {
  std::vector<float> c;
  for (size_t row = 0; row < 16; ++row) {
    for (size_t column = 0; column < 16; ++column) {
      int sum = 0;
      for (size_t k = 0; k < kDepth; ++k) {
        sum += m.values_a[row * kDepth + k] * m.values_b[k * 16 + column];
      }
      c.push_back(static_cast<float>(sum));
    }
  }
  return c;
}

struct Outcome {
  std::string error;
  bool right;
};

template <class Half, Defect kDefect>
Outcome outcome() {
  const Matrices m = make_matrices<Half>();
  std::vector<float> c(16 * 16);
  const MultiplyParams params{m.a.data(), m.b.data(), c.data()};
  const std::string error = run(multiply<Half, kDefect>, {1, 64, 2 * kSlot, nullptr}, params);
  return {error, c == plain_loops(m)};
}

class StagedMultiply : public SimtTest {};
using testing::AnyOf;
using testing::HasSubstr;

TEST_P(StagedMultiply, GivesWhatPlainLoopsGive) {
  const Outcome f16 = outcome<F16, Defect::kNone>();
  EXPECT_EQ(f16.error, "");
  EXPECT_TRUE(f16.right);
  const Outcome bf16 = outcome<Bf16, Defect::kNone>();
  EXPECT_EQ(bf16.error, "");
  EXPECT_TRUE(bf16.right);
}

TEST_P(StagedMultiply, CountsWhatItDid) {
  EXPECT_EQ((outcome<F16, Defect::kNone>().error), "");
  EXPECT_EQ(statistics().blocks, 1);
  EXPECT_EQ(statistics().barriers, 2 * kTiles);
  EXPECT_EQ(statistics().collectives, 2 * 3 * kTiles);
  EXPECT_EQ(statistics().copied_bytes, 2 * 16 * kDepth * 2);
}

TEST_P(StagedMultiply, TellsAMissingWait) {
  EXPECT_THAT((outcome<F16, Defect::kNoWait>().error), HasSubstr("still in flight"));
}

TEST_P(StagedMultiply, TellsAMissingBarrierBeforeReadingOthersCopies) {
  EXPECT_THAT((outcome<F16, Defect::kNoBarrierBeforeReading>().error),
              AnyOf(HasSubstr("writes without a barrier between"),
                    HasSubstr("nobody has written yet")));  // where the other warp runs later
}

TEST_P(StagedMultiply, TellsAMissingBarrierBeforeASlotIsFilledAgain) {
  const std::string error = outcome<F16, Defect::kNoBarrierBehindReading>().error;
  EXPECT_THAT(error, HasSubstr("copies to shared bytes"));
  EXPECT_THAT(error, AnyOf(HasSubstr("reads without a barrier between"),
                           HasSubstr("read without a barrier between")));
}

TEST_P(StagedMultiply, GivesAnotherResultForSwappedFragments) {
  const Outcome swapped = outcome<F16, Defect::kSwappedFragments>();
  EXPECT_EQ(swapped.error, "");
  EXPECT_FALSE(swapped.right);
}

TEST_P(StagedMultiply, TellsCopiesLeftInFlight) {
  EXPECT_THAT((outcome<F16, Defect::kCopiesLeft>().error), HasSubstr("ends with copies in flight"));
}

INSTANTIATE_TEST_SUITE_P(Settings, StagedMultiply, every_setting(), setting_name);

}  // namespace
}  // namespace attnrt::cuda
