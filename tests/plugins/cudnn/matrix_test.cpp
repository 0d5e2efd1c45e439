// What is asked, and what becomes of a "no", with an answerer of our own instead of cuDNN.
#include "plugins/cudnn/matrix.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <tuple>

namespace attnrt::cudnn {
namespace {

using testing::Contains;
using testing::ElementsAreArray;
using testing::Not;

TEST(CudnnMatrix, TriesEveryCellAndEveryValueOfTheOtherAxes) {
  std::set<std::pair<int32_t, int32_t>> cells;
  std::set<std::tuple<bool, bool, bool, bool>> switches;
  std::set<int32_t> groups;
  const Ask yes = [&](const LayerShape& l, const BatchShape& b, int32_t sm) {
    EXPECT_EQ(sm, 90);
    EXPECT_EQ(b.q_len, 1);  // decode
    EXPECT_TRUE(l.f16);
    cells.emplace(l.dim_qk, l.block_size);
    switches.emplace(l.hnd, l.causal, l.lse, l.window > 0);
    groups.insert(l.q_heads / l.kv_heads);
    return std::string();
  };
  const Box box = find_box({"decode_f16", ATTNRT_OP_DECODE, ATTNRT_DTYPE_F16}, 90, yes);
  EXPECT_THAT(box.head_dims, ElementsAreArray(kHeadDims));
  EXPECT_THAT(box.block_sizes, ElementsAreArray(kBlockSizes));
  EXPECT_EQ(cells.size(), kHeadDims.size() * kBlockSizes.size());
  EXPECT_EQ(switches.size(), 8U);
  EXPECT_THAT(groups, Contains(kMaxGroup));
}

TEST(CudnnMatrix, LeavesOutWhatIsRefusedAnywhere) {
  const Ask some = [](const LayerShape& l, const BatchShape&, int32_t) {
    const bool no = l.block_size == 1 || (l.dim_qk == 512 && l.block_size == 64) ||
                    (l.dim_qk == 64 && l.window == 128);
    return no ? std::string("no") : std::string();
  };
  const Box box = find_box(kKernels.front(), 80, some);
  EXPECT_THAT(box.block_sizes, Not(Contains(1)));
  EXPECT_THAT(box.block_sizes, Contains(64));
  EXPECT_THAT(box.head_dims, Not(Contains(512)));
  EXPECT_THAT(box.head_dims, Not(Contains(64)));
  EXPECT_THAT(box.head_dims, Contains(128));
}

}  // namespace
}  // namespace attnrt::cudnn
