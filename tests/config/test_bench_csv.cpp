// Shapes from CSV: what is read, and a line and column for everything that is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attnrt/bench.hpp"

namespace attnrt {
namespace {

using testing::HasSubstr;

const std::string kHeader = "name,phase,batch,q_len,kv_len,q_heads,kv_heads,head_dim\n";
const std::string kSkewed = "name,phase,batch,q_len,kv_len,q_heads,kv_heads,head_dim,rest_kv_len\n";

Result<std::vector<BenchShape>> parse(const std::string& text) {
  return parse_shapes(text, "s.csv");
}

TEST(BenchCsv, ReadsShapes) {
  const auto shapes = parse(
      "name,phase,batch,q_len,kv_len,q_heads,kv_heads,head_dim,block\n"
      "llama 8 x 16k,decode,8,1,16384,32,8,128,16\n"
      "mla,decode,1,1,512,128,1,576/512,\n"
      "draft,speculative,4,5,700,32,8,64,32\n"
      "part,chunk,1,512,4096,32,8,128,\n");
  ASSERT_TRUE(shapes.ok()) << to_string(shapes.error());
  ASSERT_EQ(shapes->size(), 4u);
  const BenchShape& llama = (*shapes)[0];
  EXPECT_EQ(llama.name, "llama 8 x 16k");
  EXPECT_EQ(llama.op, Op::kDecode);
  EXPECT_EQ(llama.batch, 8);
  EXPECT_EQ(llama.q_len, 1);
  EXPECT_EQ(llama.kv_len, 16384);
  EXPECT_EQ(llama.q_heads, 32);
  EXPECT_EQ(llama.kv_heads, 8);
  EXPECT_EQ(llama.head_dim, (HeadDim{128, 128}));
  EXPECT_EQ(llama.block_size, 16);
  EXPECT_EQ(llama.where, "s.csv:2:1");
  EXPECT_EQ((*shapes)[1].head_dim, (HeadDim{576, 512}));
  EXPECT_FALSE((*shapes)[1].block_size);
  EXPECT_EQ((*shapes)[2].op, Op::kDecode);
  EXPECT_EQ((*shapes)[3].op, Op::kPrefill);
  EXPECT_EQ((*shapes)[3].phase, "chunk");
}

TEST(BenchCsv, TheFirstSequenceMayBeLongerThanTheRest) {
  const auto shapes = parse(
      "name,phase,batch,q_len,kv_len,q_heads,kv_heads,head_dim,rest_kv_len\n"
      "skewed,decode,64,1,65536,32,8,128,1024\n"
      "even,decode,64,1,65536,32,8,128,\n");
  ASSERT_TRUE(shapes.ok()) << to_string(shapes.error());
  EXPECT_EQ((*shapes)[0].kv_tokens(), 65536 + 63 * 1024);
  EXPECT_EQ((*shapes)[1].kv_tokens(), 64 * 65536);
}

TEST(BenchCsv, TakesAnyOrderQuotesBlanksAndLineEnds) {
  const auto shapes = parse(
      "\xEF\xBB\xBFhead_dim, phase ,batch,q_len,kv_len,q_heads,kv_heads,name\r\n"
      "\r\n"
      "64,prefill,1,8,8,4,2,\"a, \"\"b\"\"\"\r\n"
      "64, \"decode\" ,1,1,8,4,2,last");
  ASSERT_TRUE(shapes.ok()) << to_string(shapes.error());
  ASSERT_EQ(shapes->size(), 2u);
  EXPECT_EQ((*shapes)[0].name, "a, \"b\"");
  EXPECT_EQ((*shapes)[1].name, "last");
  EXPECT_EQ((*shapes)[1].where, "s.csv:4:1");
}

struct Bad {
  const char* name;
  std::string csv;
  const char* message;
  friend std::ostream& operator<<(std::ostream& out, const Bad& bad) { return out << bad.name; }
};

class RefusedCsv : public testing::TestWithParam<Bad> {};

TEST_P(RefusedCsv, SaysWhereAndWhat) {
  const auto shapes = parse(GetParam().csv);
  ASSERT_FALSE(shapes.ok());
  EXPECT_EQ(shapes.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(to_string(shapes.error()), HasSubstr(GetParam().message));
}

const Bad kBad[] = {
    {"empty", "", "s.csv:1:1: expected a header with the columns name, phase, batch"},
    {"blank_lines", "\n \n", "s.csv:1:1: expected a header"},
    {"no_shape", kHeader, "s.csv:2:1: expected at least one shape"},
    {"unknown_column", "name,phase,batch,q_len,kv_len,q_heads,kv_heads,headdim\n",
     "s.csv:1:48: expected a column (name, phase, batch, q_len, kv_len, q_heads, kv_heads, "
     "head_dim, block, rest_kv_len), found 'headdim'; nearest: 'head_dim'"},
    {"missing_column", "name,phase,batch,q_len,kv_len,q_heads,kv_heads\n",
     "s.csv:1:1: expected a header with the columns name, phase, batch, q_len, kv_len, q_heads, "
     "kv_heads, head_dim and, if wanted, block, rest_kv_len, found no column 'head_dim'"},
    {"column_twice", "name,phase,batch,q_len,kv_len,q_heads,kv_heads,head_dim,batch\n",
     "s.csv:1:57: expected each column once, found 'batch' again"},
    {"too_few", kHeader + "a,decode,1,1,8,4,2\n",
     "s.csv:2:18: expected 8 fields, as in the header, found 7"},
    {"too_many", kHeader + "a,decode,1,1,8,4,2,64,16\n", "s.csv:2:23: expected 8 fields"},
    {"phase", kHeader + "a,decod,1,1,8,4,2,64\n",
     "s.csv:2:3: expected a phase (decode, speculative, prefill, chunk), found 'decod'; nearest: "
     "'decode'"},
    {"not_a_number", kHeader + "a,decode,1,1,8k,4,2,64\n",
     "s.csv:2:14: expected kv_len: an integer from 1 to"},
    {"zero", kHeader + "a,decode,0,1,8,4,2,64\n", "s.csv:2:10: expected batch: an integer from 1"},
    {"negative", kHeader + "a,decode,-1,1,8,4,2,64\n", "s.csv:2:10: expected batch"},
    {"huge", kHeader + "a,decode,1,1,99999999999,4,2,64\n", "s.csv:2:14: expected kv_len"},
    {"empty_field", kHeader + "a,decode,1,,8,4,2,64\n", "s.csv:2:12: expected q_len"},
    {"no_name", kHeader + ",decode,1,1,8,4,2,64\n", "s.csv:2:1: expected a name"},
    {"control_in_name", kHeader + "a\x01,decode,1,1,8,4,2,64\n", "s.csv:2:1: expected a name"},
    {"head_dim", kHeader + "a,decode,1,1,8,4,2,64/\n", "s.csv:2:20: expected head_dim"},
    {"heads", kHeader + "a,decode,1,1,8,5,2,64\n",
     "s.csv:2:16: expected q_heads: a multiple of kv_heads, found 5 of 2"},
    {"q_beyond_kv", kHeader + "a,prefill,1,9,8,4,2,64\n",
     "s.csv:2:15: expected kv_len: at least q_len"},
    {"rest_longer", kSkewed + "a,decode,2,1,8,4,2,64,9\n",
     "s.csv:2:23: expected rest_kv_len: from q_len to kv_len, the first sequence's, found 9 with 1 "
     "and 8"},
    {"rest_shorter_than_its_queries", kSkewed + "a,decode,2,4,8,4,2,64,3\n",
     "s.csv:2:23: expected rest_kv_len"},
    {"prefill_of_one", kHeader + "a,prefill,1,1,8,4,2,64\n",
     "s.csv:2:13: expected q_len: at least 2 in a prefill"},
    {"tokens", kHeader + "a,prefill,65536,65536,65536,4,2,64\n", "s.csv:2:11: expected at most"},
    {"open_quote", kHeader + "\"a,decode,1,1,8,4,2,64\n",
     "s.csv:2:1: expected a closing quote on the same line"},
    {"quote_inside", kHeader + "a\"b,decode,1,1,8,4,2,64\n",
     "s.csv:2:2: expected a quote at the beginning of a field only"},
    {"behind_quote", kHeader + "\"a\"b,decode,1,1,8,4,2,64\n", "s.csv:2:4: expected a comma"},
    {"name_twice",
     kHeader + "a,decode,1,1,8,4,2,64\nb,decode,1,1,8,4,2,64\na,decode,1,1,9,4,2,64\n",
     "s.csv:4:1: expected a name of its own for each shape, found 'a' again, first at s.csv:2:1"},
};
INSTANTIATE_TEST_SUITE_P(All, RefusedCsv, testing::ValuesIn(kBad),
                         [](const auto& p) { return p.param.name; });

TEST(BenchCsv, FileThatIsNotThereIsAnError) {
  const auto shapes = load_shapes("/nowhere/shapes.csv");
  ASSERT_FALSE(shapes.ok());
  EXPECT_THAT(to_string(shapes.error()), HasSubstr("/nowhere/shapes.csv"));
}

}  // namespace
}  // namespace attnrt
