// How a batch of decodes and prefills is divided.
#include "run/batch_parts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

namespace attnrt::runtime {
namespace {

struct Lengths {
  explicit Lengths(std::vector<int32_t> q_len) : q_start(q_len.size() + 1, 0) {
    std::partial_sum(q_len.begin(), q_len.end(), q_start.begin() + 1);
    for (size_t i = 0; i < q_len.size(); ++i) kv_len.push_back(100 + static_cast<int32_t>(i));
    table.assign(q_len.size() * 3, 0);
    slots.assign(static_cast<size_t>(q_start.back()), 0);
    batch.struct_size = sizeof batch;
    batch.sequences = static_cast<int32_t>(q_len.size());
    batch.tokens = q_start.back();
    batch.max_q_len = q_len.empty() ? 0 : *std::max_element(q_len.begin(), q_len.end());
    batch.max_kv_len = 1000;
    batch.q_start = {q_start.data(), q_start.data()};
    batch.kv_len = {kv_len.data(), kv_len.data()};
    batch.block_table = {table.data(), table.data()};
    batch.block_table_stride = 3;
    batch.slot_mapping = {slots.data(), slots.data()};
  }
  std::vector<int32_t> q_start, kv_len, table;
  std::vector<int64_t> slots;
  attnrt_batch batch{};
};

// "decode 0-2, prefill 2-4"
std::string split(const std::vector<int32_t>& q_len, const SplitRule& rule) {
  Lengths lengths(q_len);
  std::vector<BatchPart> parts;
  split_batch(lengths.batch, rule, parts);
  std::string text;
  for (const BatchPart& p : parts) {
    text += (text.empty() ? "" : ", ") + std::string(name(p.op)) + " " + std::to_string(p.first) +
            "-" + std::to_string(p.end);
  }
  return text;
}

TEST(SplitBatch, GivesABatchOfOneKindToItsKernelWhole) {
  for (const bool mixed : {false, true}) {
    EXPECT_EQ(split({1, 1, 1}, {1, mixed, false}), "decode 0-3");
    EXPECT_EQ(split({5, 9}, {1, mixed, false}), "prefill 0-2");
    EXPECT_EQ(split({4, 1, 3}, {4, mixed, false}), "decode 0-3");
  }
}

TEST(SplitBatch, GivesBothKindsToAMixedKernel) {
  EXPECT_EQ(split({1, 5, 1}, {1, true, false}), "mixed 0-3");
}

TEST(SplitBatch, CutsASortedBatchInTwo) {
  EXPECT_EQ(split({1, 1, 5, 9}, {1, false, false}), "decode 0-2, prefill 2-4");
  EXPECT_EQ(split({5, 9, 1, 1}, {1, false, false}), "prefill 0-2, decode 2-4");
}

TEST(SplitBatch, NeverNeedsMoreThanThreeParts) {
  EXPECT_EQ(split({1, 5, 1, 9, 1, 7, 1}, {1, false, false}), "decode 0-1, prefill 1-6, decode 6-7");
}

TEST(SplitBatch, SendsEachSequenceByItsOwnLengthWhereResultsMustNotDependOnOthers) {
  const std::string parts = "decode 0-1, prefill 1-2, decode 2-3, prefill 3-4";
  EXPECT_EQ(split({1, 5, 1, 9}, {1, false, true}), parts);
  EXPECT_EQ(split({1, 5, 1, 9}, {1, true, true}), parts);
}

TEST(SplitBatch, LetsSequencesWithoutQueriesGoWithTheirNeighbours) {
  EXPECT_EQ(split({0, 5, 0, 0, 1, 0}, {1, false, false}), "prefill 0-4, decode 4-6");
  EXPECT_EQ(split({0, 0}, {1, false, false}), "");
  EXPECT_EQ(split({}, {1, false, false}), "");
}

TEST(SplitBatch, MakesOneCallWhereOnlyTheDeviceKnowsTheLengths) {
  Lengths lengths({1, 5});
  lengths.batch.q_start.host = nullptr;
  std::vector<BatchPart> parts;
  split_batch(lengths.batch, {1, false, false}, parts);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].op, Op::kPrefill);
  split_batch(lengths.batch, {1, true, false}, parts);
  EXPECT_EQ(parts[0].op, Op::kMixed);
}

TEST(PartOf, ShiftsEveryArrayAndRebasesTheQueryStarts) {
  Lengths lengths({1, 1, 5, 9, 1});
  int32_t storage[6];
  const attnrt_batch part = part_of(lengths.batch, {Op::kPrefill, 2, 4}, storage);
  EXPECT_EQ(part.sequences, 2);
  EXPECT_EQ(part.tokens, 14);
  EXPECT_EQ(part.max_q_len, 9);
  EXPECT_EQ(part.max_kv_len, 103);
  EXPECT_THAT(std::vector<int32_t>(part.q_start.host, part.q_start.host + 3),
              testing::ElementsAre(0, 5, 14));
  EXPECT_EQ(part.kv_len.host, lengths.kv_len.data() + 2);
  EXPECT_EQ(part.block_table.host, lengths.table.data() + 6);
  EXPECT_EQ(part.slot_mapping.host, lengths.slots.data() + 2);
  const attnrt_batch head = part_of(lengths.batch, {Op::kDecode, 0, 2}, storage);
  EXPECT_EQ(head.q_start.host, lengths.q_start.data());  // already begins at 0
  EXPECT_EQ(head.tokens, 2);
}

}  // namespace
}  // namespace attnrt::runtime
