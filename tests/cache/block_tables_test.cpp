// Sequences: growth, forks with copy on write, windows, and a pool that runs out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "attnrt/blocks.hpp"

namespace attnrt {
namespace {

using testing::ElementsAre;

class BlockTablesTest : public testing::Test {
 protected:
  BlockPool pool{pool_layout({PoolGroup{1, 64, 0, 0, 0}}), 8};
  std::vector<int64_t> slots;
  std::vector<BlockPair> copies;
};

TEST_F(BlockTablesTest, GrowByTokensAndMapEachToASlotOfItsOwn) {
  BlockTables tables(pool, 0, 4);
  const int32_t s = tables.add();
  ASSERT_TRUE(tables.extend(s, 3, slots, copies));
  ASSERT_TRUE(tables.extend(s, 3, slots, copies));
  EXPECT_EQ(tables.length(s), 6);
  ASSERT_EQ(tables.blocks(s).size(), 2u);
  const int64_t a = tables.blocks(s)[0] * 4;
  const int64_t b = tables.blocks(s)[1] * 4;
  EXPECT_THAT(slots, ElementsAre(a, a + 1, a + 2, a + 3, b, b + 1));
  EXPECT_TRUE(copies.empty());
}

TEST_F(BlockTablesTest, ForksShareBlocksAndCopyTheOneThatTheyWriteInto) {
  BlockTables tables(pool, 0, 4);
  const int32_t s = tables.add();
  ASSERT_TRUE(tables.extend(s, 6, slots, copies));
  const int32_t f = tables.fork(s);
  EXPECT_EQ(pool.available(0), 6);
  const int32_t shared = tables.blocks(s)[1];
  ASSERT_TRUE(tables.extend(f, 1, slots, copies));
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].from, shared);
  EXPECT_EQ(copies[0].to, tables.blocks(f)[1]);
  EXPECT_NE(copies[0].to, shared);
  EXPECT_EQ(tables.blocks(f)[0], tables.blocks(s)[0]);
  EXPECT_EQ(slots.back(), int64_t{copies[0].to} * 4 + 2);
  ASSERT_TRUE(tables.extend(s, 1, slots, copies));  // alone again: no copy
  EXPECT_EQ(copies.size(), 1u);
  tables.remove(s);
  tables.remove(f);
  EXPECT_EQ(pool.available(0), 8);
}

TEST_F(BlockTablesTest, AForkAtABlocksEdgeNeedsNoCopy) {
  BlockTables tables(pool, 0, 4);
  const int32_t s = tables.add();
  ASSERT_TRUE(tables.extend(s, 4, slots, copies));
  const int32_t f = tables.fork(s);
  ASSERT_TRUE(tables.extend(f, 1, slots, copies));
  EXPECT_TRUE(copies.empty());
}

TEST_F(BlockTablesTest, ChangeNothingWhenThePoolRunsOut) {
  BlockTables tables(pool, 0, 4);
  const int32_t s = tables.add();
  ASSERT_TRUE(tables.extend(s, 30, slots, copies));
  const size_t before = slots.size();
  Status full = tables.extend(s, 3, slots, copies);
  ASSERT_FALSE(full);
  EXPECT_EQ(tables.length(s), 30);
  EXPECT_EQ(slots.size(), before);
  EXPECT_TRUE(tables.extend(s, 2, slots, copies));
  EXPECT_FALSE(tables.extend(s, -1, slots, copies));
  EXPECT_FALSE(tables.extend(s, int64_t{1} << 40, slots, copies));
}

TEST_F(BlockTablesTest, GiveBackWhatNoLaterQuerySees) {
  BlockTables tables(pool, 0, 4, 5);
  const int32_t s = tables.add();
  ASSERT_TRUE(tables.extend(s, 12, slots, copies));
  tables.release_outside_window(s);  // the next query stands at 12 and sees 8 … 12
  EXPECT_EQ(tables.blocks(s)[0], -1);
  EXPECT_EQ(tables.blocks(s)[1], -1);
  EXPECT_GE(tables.blocks(s)[2], 0);
  EXPECT_EQ(pool.available(0), 7);
  tables.release_outside_window(s);
  EXPECT_EQ(pool.available(0), 7);
  const int32_t f = tables.fork(s);
  tables.remove(s);
  tables.remove(f);
  EXPECT_EQ(pool.available(0), 8);
}

TEST_F(BlockTablesTest, WriteTheTableOfABatch) {
  BlockTables tables(pool, 0, 4);
  const int32_t a = tables.add();
  const int32_t b = tables.add();
  const int32_t empty = tables.add();
  ASSERT_TRUE(tables.extend(a, 9, slots, copies));
  ASSERT_TRUE(tables.extend(b, 1, slots, copies));
  std::vector<int32_t> table;
  const int32_t wanted[] = {b, a, empty};
  EXPECT_EQ(tables.table(wanted, table), 3);
  const auto rows = tables.blocks(a);
  EXPECT_THAT(table,
              ElementsAre(tables.blocks(b)[0], -1, -1, rows[0], rows[1], rows[2], -1, -1, -1));
}

TEST_F(BlockTablesTest, ReleaseTheirBlocksWhenTheyEnd) {
  {
    BlockTables tables(pool, 0, 4);
    ASSERT_TRUE(tables.extend(tables.add(), 9, slots, copies));
    BlockTables moved(std::move(tables));
    EXPECT_EQ(pool.available(0), 5);
  }
  EXPECT_EQ(pool.available(0), 8);
}

}  // namespace
}  // namespace attnrt
