// Damaged configurations: whatever the bytes, the answer is a value or an error with a place.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "attnrt/geometry.hpp"
#include "tests/config/fixture.hpp"

namespace attnrt {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> texts(const std::string& folder, const std::string& extension) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(ATTNRT_SOURCE_DIR + folder)) {
    if (entry.path().extension() != extension) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    found.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>{});
  }
  EXPECT_FALSE(found.empty());
  return found;
}

// Calls parse with every text cut off at some places, and with some of its bytes replaced.
template <class Parse>
void damage(const std::vector<std::string>& originals, Parse parse) {
  std::mt19937 random(42);
  constexpr char kBytes[] = "{}[]:,-\"'&*!|>#%@`~ \n\t0179aex\x00\x7f\xff";
  for (const std::string& original : originals) {
    for (size_t end = 0; end < original.size(); end += 1 + original.size() / 40) {
      parse(original.substr(0, end));
    }
    for (int i = 0; i < 60; ++i) {
      std::string text = original;
      for (int k = 0; k <= i % 4; ++k) {
        text[random() % text.size()] = kBytes[random() % (sizeof kBytes - 1)];
      }
      parse(text);
    }
  }
}

TEST(DamagedConfig, IsAValueOrAnErrorWithItsPlace) {
  damage(texts("/configs", ".yaml"), [](const std::string& text) {
    const Result<RunFile> file = test::parse(text);
    if (file.ok()) return;
    EXPECT_EQ(file.error().code, ErrorCode::kInvalid);
    EXPECT_NE(file.error().where, "") << to_string(file.error());
    EXPECT_NE(file.error().found, "") << text;
  });
}

TEST(DamagedConfigJson, IsAValueOrAnErrorWithItsPlace) {
  damage(texts("/tests/data/models", ".json"), [](const std::string& text) {
    const Result<ModelGeometry> model = parse_hf_config(text, "config.json");
    if (model.ok()) return;
    EXPECT_EQ(model.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(model.error().where.rfind("config.json", 0), 0u) << to_string(model.error());
  });
}

}  // namespace
}  // namespace attnrt
