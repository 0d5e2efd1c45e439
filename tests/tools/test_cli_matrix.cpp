#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/tools/ran.hpp"

namespace attnrt {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

class Matrix : public testing::Test {
 protected:
  std::string made(std::vector<std::string> args) {
    args.insert(args.begin(),
                {"matrix", "--plugins", none_.path(), "--manifests", test::kManifests});
    const test::Ran ran = test::attnrt(args);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.out;
  }
  test::Folder none_;
};

TEST_F(Matrix, MarkdownRowsHaveAsManyCellsAsTheirHeader) {
  const std::string text = made({});
  EXPECT_THAT(text, HasSubstr("| format | cpu | cuda | rocm | xpu |"));
  size_t bars = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() != '|') {
      bars = 0;
      continue;
    }
    const auto here = size_t(std::count(line.begin(), line.end(), '|'));
    if (bars == 0) bars = here;
    EXPECT_EQ(here, bars) << line;
  }
}

TEST_F(Matrix, JsonHoldsEveryKernelsBox) {
  const Json json = Json::parse(made({"--json"}));
  bool found = false;
  for (const Json& plugin : json["plugins"]) {
    for (const Json& kernel : plugin["kernels"]) {
      EXPECT_FALSE(kernel["op"].empty());
      EXPECT_FALSE(kernel["kv"].empty());
      found |= plugin["name"] == "hpc_attn" && kernel["sm"] == Json({90}) &&
               kernel["tensors"] == Json({"packed", "strided"}) && kernel["alignment"] == 1 &&
               kernel["head_dim"] == "128" && kernel["block_size"] == "64";
    }
  }
  EXPECT_TRUE(found) << "HPC_ATTN: SM 90 exactly, head size 128, block 64";
}

TEST_F(Matrix, HtmlNeedsNothingElse) {
  const test::Folder folder;
  const std::string file = folder.path() + "/matrix.html";
  EXPECT_EQ(made({"--format", "html", "-o", file}), "");
  const std::string page = test::read_text(file);
  EXPECT_THAT(page, HasSubstr("<!doctype html>"));
  EXPECT_THAT(page, HasSubstr("flash_attn"));
  for (const char* outside : {"http:", "https:", "<script", "<link", "src="}) {
    EXPECT_THAT(page, testing::Not(HasSubstr(outside)));
  }
}

TEST_F(Matrix, AFileThatCannotBeWrittenIsAnError) {
  const test::Ran ran = test::attnrt({"matrix", "-o", none_.path() + "/no/such/folder"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("expected a file that can be written"));
}

}  // namespace
}  // namespace attnrt
