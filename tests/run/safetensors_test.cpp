// Malformed safetensors files: a clear error each, and no byte read beyond the file.
#include "run/safetensors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tests/run/safetensors_writer.hpp"

namespace attnrt::runtime {
namespace {

using testing::HasSubstr;
using testing_fakes::safetensors_bytes;

Result<Safetensors> parse(const std::string& header, size_t values = 4) {
  // Exactly as large as it is, so that a sanitizer sees any read beyond it.
  const auto file = safetensors_bytes(header, std::vector<float>(values, 1.5f));
  return Safetensors::parse(file, "test");
}

TEST(Safetensors, ReadsTensorsAndMetadata) {
  const auto file = safetensors_bytes(
      R"({"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},
          "none":{"dtype":"F32","shape":[0,7],"data_offsets":[16,16]}})",
      {1, 2, 3, 4});
  Result<Safetensors> read = Safetensors::parse(file, "test");
  ASSERT_TRUE(read) << to_string(read.error());
  EXPECT_EQ(read->metadata().at("a"), "b");
  ASSERT_NE(read->find("x"), nullptr);
  EXPECT_THAT(read->find("x")->shape, testing::ElementsAre(2, 2));
  EXPECT_EQ(reinterpret_cast<const float*>(read->find("x")->bytes.data())[3], 4.0f);
  EXPECT_EQ(read->find("none")->bytes.size(), 0u);
  EXPECT_EQ(read->find("y"), nullptr);
}

struct Malformed {
  const char* name;
  std::string header;
  std::string message;
};
class SafetensorsRefuses : public testing::TestWithParam<Malformed> {};

TEST_P(SafetensorsRefuses, WithTheTensorAndTheReason) {
  Result<Safetensors> read = parse(GetParam().header);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(to_string(read.error()), HasSubstr(GetParam().message));
  EXPECT_THAT(to_string(read.error()), HasSubstr("test"));
}

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{\"x\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets +
         "}}";
}

INSTANTIATE_TEST_SUITE_P(
    Headers, SafetensorsRefuses,
    testing::Values(
        Malformed{"not_json", "{\"x\":", "header in JSON"},
        Malformed{"deep_nonsense", std::string(2000, '['), "header in JSON"},
        Malformed{"deep_metadata",
                  "{\"__metadata__\":" + std::string(200000, '[') + std::string(200000, ']') + "}",
                  "deep nesting"},
        Malformed{"deep_shape",
                  one("\"F32\"", std::string(200000, '[') + std::string(200000, ']'), "[0,4]"),
                  "deep nesting"},
        Malformed{"not_utf8", "{\"\xff\":1}", "header in JSON"},
        Malformed{"not_an_object", "[1]", "JSON object"},
        Malformed{"twice", R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
                               "x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                  "'x' twice"},
        Malformed{"unknown_dtype", one("\"F17\"", "[1]", "[0,4]"), "'F17'"},
        Malformed{"dtype_number", one("3", "[1]", "[0,4]"), "dtype: text"},
        Malformed{"negative_size", one("\"F32\"", "[-1]", "[0,4]"), "shape: [numbers]"},
        Malformed{"fraction", one("\"F32\"", "[1.5]", "[0,4]"), "shape: [numbers]"},
        Malformed{"huge_shape", one("\"F32\"", "[4611686018427387904,4]", "[0,4]"), "2^63"},
        Malformed{"larger_than_the_number_type", one("\"F32\"", "[99999999999999999999]", "[0,4]"),
                  "shape: [numbers]"},
        Malformed{"beyond_the_file", one("\"F32\"", "[5]", "[0,20]"), "is the file complete?"},
        Malformed{"backwards", one("\"F32\"", "[1]", "[8,4]"), "offsets within"},
        Malformed{"too_few_bytes", one("\"F32\"", "[4]", "[0,12]"), "16 bytes"},
        Malformed{"one_offset", one("\"F32\"", "[1]", "[0]"), "data_offsets: [begin, end]"},
        Malformed{"unaligned", one("\"F32\"", "[1]", "[2,6]"), "aligned"},
        Malformed{"no_offsets", R"({"x":{"dtype":"F32","shape":[1]}})", "data_offsets"},
        Malformed{"metadata_number", R"({"__metadata__":{"a":1}})", "__metadata__.a"}),
    [](const testing::TestParamInfo<Malformed>& param) { return param.param.name; });

TEST(Safetensors, RefusesFilesThatEndTooEarly) {
  const auto file = safetensors_bytes("{}", {});
  for (size_t bytes = 0; bytes < file.size(); ++bytes) {
    const std::vector<uint8_t> cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(bytes));
    EXPECT_FALSE(Safetensors::parse(cut, "test")) << bytes;
  }
  EXPECT_TRUE(Safetensors::parse(file, "test"));
  std::vector<uint8_t> lies = file;
  std::fill_n(lies.begin(), 8, uint8_t{0xff});
  EXPECT_FALSE(Safetensors::parse(lies, "test"));
}

TEST(Safetensors, NamesWhatIsNoFile) {
  const std::string folder = testing::TempDir();
  Result<Safetensors> absent = Safetensors::open(folder + "/no such recording.safetensors");
  ASSERT_FALSE(absent);
  EXPECT_THAT(absent.error().found, HasSubstr("No such file"));
  EXPECT_THAT(Safetensors::open(folder).error().found, HasSubstr("regular"));
  const std::string fifo = folder + "/attnrt_fifo_" + std::to_string(getpid());
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(Safetensors::open(fifo).error().found, HasSubstr("regular"));  // and does not hang
  std::remove(fifo.c_str());
  const std::string empty = folder + "/attnrt_empty_" + std::to_string(getpid());
  std::fclose(std::fopen(empty.c_str(), "w"));
  EXPECT_THAT(Safetensors::open(empty).error().found, HasSubstr("empty"));
  std::remove(empty.c_str());
}

}  // namespace
}  // namespace attnrt::runtime
