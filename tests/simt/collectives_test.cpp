// What each thread of a warp gets from the others, as kernels/cuda/device.cuh documents it.
#include "tests/simt/simt_test.hpp"

namespace attnrt::cuda {
namespace {

using simt::every_setting;
using simt::run;
using simt::setting_name;
using simt::SimtTest;

// Registers of all threads: kRegisters a thread.
struct Registers {
  uint32_t* to;
};

class CollectiveOf : public SimtTest {};

template <bool kTransposed>
ATTNRT_KERNEL(32, 1)
load_numbered(const ATTNRT_ARGUMENT Registers p) {
  // Element (row, column) of matrix i is 64 i + 8 row + column; rows lie apart and backwards.
  const auto t = static_cast<uint32_t>(thread_index());
  const SharedAddress row = shared_memory() + (31 - t) * 32;
  for (uint32_t column = 0; column < 8; ++column) {
    store_shared<uint16_t>(row + column * 2, static_cast<uint16_t>(8 * t + column));
  }
  sync_warp();
  uint32_t to[4];
  if (kTransposed) {
    load_matrices_transposed(to, row);
  } else {
    load_matrices(to, row);
  }
  for (uint32_t i = 0; i < 4; ++i) p.to[4 * t + i] = to[i];
}

TEST_P(CollectiveOf, LoadMatricesGivesAPairOfARow) {
  uint32_t to[32 * 4];
  ASSERT_EQ(run(load_numbered<false>, {1, 32, 1024, nullptr}, Registers{to}), "");
  for (uint32_t t = 0; t < 32; ++t) {
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t first = 64 * i + 8 * (t / 4) + 2 * (t % 4);
      EXPECT_EQ(to[4 * t + i], (first + 1) << 16 | first);
    }
  }
}

TEST_P(CollectiveOf, LoadMatricesTransposedGivesAPairOfAColumn) {
  uint32_t to[32 * 4];
  ASSERT_EQ(run(load_numbered<true>, {1, 32, 1024, nullptr}, Registers{to}), "");
  for (uint32_t t = 0; t < 32; ++t) {
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t first = 64 * i + 8 * (2 * (t % 4)) + t / 4;
      EXPECT_EQ(to[4 * t + i], (first + 8) << 16 | first);
    }
  }
}

ATTNRT_KERNEL(32, 1) load_misaligned(const ATTNRT_ARGUMENT Registers) {
  store_shared<uint64_t>(shared_memory() + static_cast<SharedAddress>(thread_index()) * 8, 0);
  sync_warp();
  uint32_t to[4];
  load_matrices(to, shared_memory() + (thread_index() == 11 ? 8 : 0));
}

TEST_P(CollectiveOf, LoadMatricesAccessesAreThoseOfTheThreadThatGaveTheAddress) {
  EXPECT_EQ(run(load_misaligned, {1, 32, 256, nullptr}, Registers{nullptr}),
            "block 0: thread 11 reads shared bytes [8, 24), which are not aligned");
}

// Products of a unit vector's matrix and another, so that each element is seen alone.
struct OneProduct {
  int row, inner, column;
  float* c;  // 16 x 8
};

ATTNRT_DEVICE uint32_t pair_of(bool low, bool high) {
  return pack_halves<Bf16>(low ? 3.0F : 0.0F, high ? 3.0F : 0.0F);
}

ATTNRT_KERNEL(32, 1) multiply_one(const ATTNRT_ARGUMENT OneProduct p) {
  const int g = thread_index() / 4;
  const int pair = 2 * (thread_index() % 4);
  uint32_t a[4];
  for (int i = 0; i < 4; ++i) {
    const int row = g + i % 2 * 8;
    const int column = pair + i / 2 * 8;
    const bool at_row = row == p.row;
    a[i] = pair_of(at_row && column == p.inner, at_row && column + 1 == p.inner);
  }
  uint32_t b[2];
  for (int i = 0; i < 2; ++i) {
    const int row = pair + i * 8;
    const bool at_column = g == p.column;
    b[i] = pair_of(at_column && row == p.inner, at_column && row + 1 == p.inner);
  }
  float c[4] = {1.0F, 2.0F, 3.0F, 4.0F};
  multiply_add<Bf16>(c, a, b[0], b[1]);
  for (int i = 0; i < 4; ++i) {
    p.c[(g + i / 2 * 8) * 8 + pair + i % 2] = c[i] - static_cast<float>(i + 1);
  }
}

TEST_P(CollectiveOf, MultiplyAddTakesFragmentsAsDocumented) {
  for (int i = 0; i < 16 * 16 * 8; i += 7) {
    const int row = i / 128;
    const int inner = i / 8 % 16;
    const int column = i % 8;
    std::vector<float> c(16 * 8);
    ASSERT_EQ(run(multiply_one, {1, 32, 0, nullptr}, OneProduct{row, inner, column, c.data()}), "");
    std::vector<float> expected(16 * 8);
    expected[static_cast<size_t>(row * 8 + column)] = 9.0F;
    EXPECT_EQ(c, expected);
  }
}

ATTNRT_KERNEL(64, 1) exchange(const ATTNRT_ARGUMENT Registers p) {
  const int t = thread_index();
  const auto x = static_cast<float>(t);
  uint32_t* to = p.to + 2 * t;
  to[0] = std::bit_cast<uint32_t>(shuffle_xor(x, 1));
  to[1] = std::bit_cast<uint32_t>(shuffle_xor(x, 1 + t % 31));
}

TEST_P(CollectiveOf, ShufflesStayInTheWarp) {
  uint32_t to[64 * 2];
  ASSERT_EQ(run(exchange, {1, 64, 0, nullptr}, Registers{to}), "");
  for (uint32_t t = 0; t < 64; ++t) {
    EXPECT_EQ(std::bit_cast<float>(to[2 * t]), static_cast<float>(t ^ 1));
    EXPECT_EQ(std::bit_cast<float>(to[2 * t + 1]), static_cast<float>(t ^ (1 + t % 31)));
  }
}

ATTNRT_KERNEL(64, 1) any(const ATTNRT_ARGUMENT Registers p) {
  const bool none = any_lane(false);
  const bool one = any_lane(thread_index() == 40);
  p.to[thread_index()] = (none ? 2U : 0U) + (one ? 1U : 0U);
}

TEST_P(CollectiveOf, AnyLaneAsksTheWarp) {
  uint32_t to[64];
  ASSERT_EQ(run(any, {1, 64, 0, nullptr}, Registers{to}), "");
  for (uint32_t t = 0; t < 64; ++t) EXPECT_EQ(to[t], t < 32 ? 0U : 1U);
}

INSTANTIATE_TEST_SUITE_P(Settings, CollectiveOf, every_setting(), setting_name);

}  // namespace
}  // namespace attnrt::cuda
