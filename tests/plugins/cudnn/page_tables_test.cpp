// The kernel that makes page tables, on the SIMT shim.
#include "kernels/cuda/page_tables.hpp"

#include <cmath>
#include <vector>

#include "tests/simt/simt_test.hpp"

namespace attnrt::cuda {
namespace {

using testing::Each;
using testing::ElementsAreArray;

class PageTables : public simt::SimtTest {
 protected:
  // -1 where nobody may look.
  std::vector<int32_t> blocks_{5,  9,  2,  -1, -1,  //
                               -1, -1, 7,  3,  -1,  //
                               -1, -1, -1, -1, -1};
  BlockTable table_{blocks_.data(), 5};
  std::vector<int32_t> kv_lengths_{33, 64, 0};
  std::vector<int32_t> first_pages_{0, 2, 0};
  std::vector<int32_t> first_rows_{0, 3, 4};
  std::vector<int32_t> empty_rows_{1, 0, 2};
  std::vector<int32_t> k_table_ = std::vector<int32_t>(3 * 8 + 1, -9);
  std::vector<int32_t> v_table_ = std::vector<int32_t>(3 * 8 + 1, -9);
  std::vector<uint16_t> out_ = std::vector<uint16_t>(7 * 8, 1);  // 7 rows of 2 heads of 4
  std::vector<float> lse_ = std::vector<float>(7 * 2, 1.0F);

  PageTableParams params() {
    PageTableParams p{};
    p.table = &table_;
    p.kv_lengths = kv_lengths_.data();
    p.first_pages = first_pages_.data();
    p.first_rows = first_rows_.data();
    p.empty_rows = empty_rows_.data();
    p.k_table = k_table_.data();
    p.v_table = v_table_.data();
    p.out = reinterpret_cast<uint8_t*>(out_.data());
    p.lse = lse_.data();
    p.sequences = 3;
    p.width = 8;
    p.block_size = 16;
    p.k_pages_per_block = 1;
    p.v_pages_per_block = 6;
    p.row_bytes = 16;
    p.heads = 2;
    return p;
  }
};

TEST_P(PageTables, NameAPageThatIsReadEverywhere) {
  EXPECT_EQ(launch_page_tables(nullptr, params()), nullptr);
  const std::vector<int32_t> expected{5, 9, 2, 2, 2, 2, 2, 2,  //
                                      7, 7, 7, 3, 3, 3, 3, 3,  //
                                      0, 0, 0, 0, 0, 0, 0, 0, -9};
  EXPECT_THAT(k_table_, ElementsAreArray(expected));
  for (size_t i = 0; i + 1 < expected.size(); ++i) EXPECT_EQ(v_table_[i], 6 * expected[i]) << i;
  EXPECT_EQ(v_table_.back(), -9);
}

TEST_P(PageTables, GiveRowsWithoutKeysZeroAndMinusInfinity) {
  EXPECT_EQ(launch_page_tables(nullptr, params()), nullptr);
  const std::vector<bool> empty{true, false, false, false, true, true, false};
  for (size_t row = 0; row < 7; ++row) {
    for (size_t i = 0; i < 8; ++i) EXPECT_EQ(out_[8 * row + i], empty[row] ? 0 : 1) << row;
    for (size_t h = 0; h < 2; ++h) {
      EXPECT_EQ(lse_[2 * row + h], empty[row] ? -HUGE_VALF : 1.0F) << row;
    }
  }
}

TEST_P(PageTables, LeaveOutAnLseThatIsNotWanted) {
  PageTableParams p = params();
  p.lse = nullptr;
  EXPECT_EQ(launch_page_tables(nullptr, p), nullptr);
  EXPECT_THAT(lse_, Each(1.0F));
}

INSTANTIATE_TEST_SUITE_P(Simt, PageTables, simt::every_setting(), simt::setting_name);

}  // namespace
}  // namespace attnrt::cuda
