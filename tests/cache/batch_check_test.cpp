// Checked mode: every way in which a batch can be wrong, and what must be let through.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "attnrt/cache.hpp"

namespace attnrt {
namespace {

using testing::HasSubstr;

// Two sequences: 3 queries of 20 keys, 1 query of 5; blocks of 8 tokens, ids 0 … 9.
struct Fixture {
  std::vector<int32_t> q_start{0, 3, 4};
  std::vector<int32_t> kv_len{20, 5};
  std::vector<int32_t> table{4, 2, 9, 77, 0, -5, -5, -5};
  std::vector<int64_t> slots{65, 66, 67, 4};
  std::vector<int32_t> prefix{0, 0};
  std::vector<uint8_t> mask{7, 7, 7, 1};
  std::vector<int64_t> mask_offset{0, 3};
  attnrt_batch batch{};
  BatchLimits limits;

  Fixture() {
    batch.struct_size = sizeof batch;
    batch.sequences = 2;
    batch.tokens = 4;
    batch.max_q_len = 3;
    batch.max_kv_len = 20;
    batch.q_start = {q_start.data(), q_start.data()};
    batch.kv_len = {kv_len.data(), kv_len.data()};
    batch.block_table = {table.data(), table.data()};
    batch.block_table_stride = 4;
    batch.slot_mapping = {slots.data(), slots.data()};
    batch.prefix_len = {prefix.data(), prefix.data()};
    batch.tree_mask = {mask.data(), mask.data()};
    batch.tree_offset = {mask_offset.data(), mask_offset.data()};
    limits.blocks = 10;
    limits.block_size = 8;
  }
  Status check() {
    BatchChecker checker;
    return checker.check(batch, limits);
  }
};

TEST(BatchCheck, LetsAGoodBatchThroughAndNeverReadsEntriesBeyondKvLen) {
  Fixture f;
  Status s = f.check();
  EXPECT_TRUE(s) << to_string(s.error());
}

struct Wrong {
  const char* name;
  std::function<void(Fixture&)> spoil;
  std::string where, found;
};

class BatchCheckRefuses : public testing::TestWithParam<Wrong> {};

TEST_P(BatchCheckRefuses, AndNamesThePlaceWhatWasFoundAndWhatIsAllowed) {
  Fixture f;
  GetParam().spoil(f);
  Status s = f.check();
  ASSERT_FALSE(s);
  EXPECT_EQ(s.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(s.error().where, HasSubstr(GetParam().where));
  EXPECT_THAT(s.error().found, HasSubstr(GetParam().found));
  EXPECT_FALSE(s.error().expected.empty());
  EXPECT_FALSE(s.error().remedy.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Everything, BatchCheckRefuses,
    testing::Values(
        Wrong{"block_id_too_large", [](Fixture& f) { f.table[2] = 10; }, "block_table[0][2]", "10"},
        Wrong{"block_id_negative", [](Fixture& f) { f.table[4] = -1; }, "block_table[1][0]", "-1"},
        Wrong{"kv_len_negative", [](Fixture& f) { f.kv_len[1] = -3; }, "kv_len[1]", "-3"},
        Wrong{"kv_len_beyond_max", [](Fixture& f) { f.kv_len[0] = 21; }, "kv_len[0]", "21"},
        Wrong{"kv_len_beyond_table",
              [](Fixture& f) {
                f.batch.max_kv_len = 1000;
                f.kv_len[0] = 33;
              },
              "kv_len[0]", "33"},
        Wrong{"q_start_not_zero", [](Fixture& f) { f.q_start[0] = 1; }, "q_start[0]", "1"},
        Wrong{"q_start_falls",
              [](Fixture& f) {
                f.q_start[1] = 5;
                f.batch.max_q_len = 9;
              },
              "q_start[2]", "4"},
        Wrong{"q_len_beyond_max", [](Fixture& f) { f.batch.max_q_len = 2; }, "q_start[1]", "3"},
        Wrong{"q_start_end", [](Fixture& f) { f.batch.tokens = 5; }, "q_start[2]", "4"},
        Wrong{"q_start_overflows",
              [](Fixture& f) {
                f.q_start[1] = -2147483647 - 1;
                f.q_start[2] = 2147483647;
              },
              "q_start[1]", "-2147483648"},
        Wrong{"slot_twice", [](Fixture& f) { f.slots[3] = 66; }, "slot_mapping[3]",
              "66, as at [1]"},
        Wrong{"slot_beyond", [](Fixture& f) { f.slots[0] = 80; }, "slot_mapping[0]", "80"},
        Wrong{"slot_negative", [](Fixture& f) { f.slots[0] = -2; }, "slot_mapping[0]", "-2"},
        Wrong{"slot_huge", [](Fixture& f) { f.slots[0] = int64_t{1} << 62; }, "slot_mapping[0]",
              "4611686018427387904"},
        Wrong{"sequences_negative", [](Fixture& f) { f.batch.sequences = -1; }, "sequences", "-1"},
        Wrong{"tokens_of_nobody", [](Fixture& f) { f.batch.sequences = 0; }, "tokens", "4"},
        Wrong{"too_many_tokens", [](Fixture& f) { f.limits.bounds.tokens = 3; }, "tokens", "4"},
        Wrong{"too_many_sequences", [](Fixture& f) { f.limits.bounds.sequences = 1; }, "sequences",
              "2"},
        Wrong{"kv_bound", [](Fixture& f) { f.limits.bounds.kv_len = 16; }, "max_kv_len", "20"},
        Wrong{"struct_size", [](Fixture& f) { f.batch.struct_size = 8; }, "struct_size", "8"},
        Wrong{"no_kv_len", [](Fixture& f) { f.batch.kv_len = {}; }, "kv_len", "null"},
        Wrong{"no_table", [](Fixture& f) { f.batch.block_table = {}; }, "block_table", "null"},
        Wrong{"prefix_beyond_kv_len",
              [](Fixture& f) {
                f.limits.prefix_lm = true;
                f.prefix[1] = 6;
              },
              "prefix_len[1]", "6"},
        Wrong{"no_prefix",
              [](Fixture& f) {
                f.limits.prefix_lm = true;
                f.batch.prefix_len = {};
              },
              "prefix_len", "null"},
        Wrong{"tree_offset_negative",
              [](Fixture& f) {
                f.limits.tree_mask = true;
                f.mask_offset[1] = -1;
              },
              "tree_offset[1]", "-1"},
        Wrong{"tree_larger_than_kv_len",
              [](Fixture& f) {
                f.limits.tree_mask = true;
                f.kv_len[0] = 2;
              },
              "kv_len[0]", "2"}),
    [](const testing::TestParamInfo<Wrong>& param) { return param.param.name; });

TEST(BatchCheck, LetsEntriesWhollyOutsideTheWindowBeFreed) {
  Fixture f;
  f.table[0] = -1;  // keys 0 … 7; the first query stands at 17
  f.limits.window = 10;
  EXPECT_TRUE(f.check());  // it sees keys 8 … 17
  f.limits.window = 11;
  Status s = f.check();
  ASSERT_FALSE(s);
  EXPECT_THAT(s.error().where, HasSubstr("block_table[0][0]"));
}

TEST(BatchCheck, LetsSequencesWithoutKeysOrQueriesThrough) {
  Fixture f;
  f.kv_len = {20, 0};
  f.table[4] = -1;
  EXPECT_TRUE(f.check());  // a query without keys: fully masked
  f.q_start = {0, 4, 4};
  f.batch.max_q_len = 4;
  f.kv_len = {20, 5};
  EXPECT_TRUE(f.check());  // keys without queries: its entries are not read
  f.batch.sequences = 0;
  f.batch.tokens = 0;
  EXPECT_TRUE(f.check());
}

TEST(BatchCheck, LetsManySkippedSlotsThrough) {
  Fixture f;
  f.slots = {-1, 3, -1, 2};
  EXPECT_TRUE(f.check());
}

TEST(BatchCheck, DoesNotLookAtArraysThatExistOnlyOnTheDevice) {
  Fixture f;
  f.table[0] = 1000;
  f.kv_len[0] = 1 << 30;
  f.slots[0] = -99;
  f.batch.block_table.host = nullptr;
  f.batch.kv_len.host = nullptr;
  f.batch.slot_mapping.host = nullptr;
  EXPECT_TRUE(f.check());
}

TEST(BatchCheck, FindsADuplicateAmongManyUnorderedSlots) {
  constexpr int32_t kTokens = 1000;
  Fixture f;
  f.limits.blocks = 1000;
  f.slots.resize(kTokens);
  for (int32_t i = 0; i < kTokens; ++i) f.slots[static_cast<size_t>(i)] = (i * 617) % 1009;
  f.q_start = {0, kTokens, kTokens};
  f.batch.tokens = f.batch.max_q_len = kTokens;
  f.batch.slot_mapping = {f.slots.data(), f.slots.data()};
  BatchChecker checker;
  EXPECT_TRUE(checker.check(f.batch, f.limits));
  f.slots[999] = f.slots[17];
  EXPECT_FALSE(checker.check(f.batch, f.limits));
  f.slots[999] = -1;
  EXPECT_TRUE(checker.check(f.batch, f.limits));  // nothing is left of the call before
}

TEST(FirstNeededBlock, FollowsTheFirstQuerysWindow) {
  EXPECT_EQ(first_needed_block(100, 1, 0, 16), 0);
  EXPECT_EQ(first_needed_block(100, 1, 100, 16), 0);
  EXPECT_EQ(first_needed_block(100, 1, 52, 16), 3);  // keys 48 … 99
  EXPECT_EQ(first_needed_block(100, 1, 53, 16), 2);
  EXPECT_EQ(first_needed_block(100, 20, 33, 16), 3);
  EXPECT_EQ(first_needed_block(3, 10, 2, 16), 0);
}

}  // namespace
}  // namespace attnrt
