// Wrong use: exit code 2, a message on stderr that names the option, nothing on stdout.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/tools/ran.hpp"

namespace attnrt {
namespace {

using test::attnrt;
using testing::HasSubstr;

struct Wrong {
  const char* name;
  std::vector<std::string> args;
  const char* message;
  friend std::ostream& operator<<(std::ostream& out, const Wrong& w) { return out << w.name; }
};

class WrongUse : public testing::TestWithParam<Wrong> {};
TEST_P(WrongUse, ExitsWithTwoAndSaysWhy) {
  const test::Ran ran = attnrt(GetParam().args);
  EXPECT_EQ(ran.code, 2) << ran.out << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr(GetParam().message));
}

const Wrong kWrong[] = {
    {"nothing", {}, "subcommand is required"},
    {"unknown_subcommand", {"plam", "x"}, "found 'plam'; nearest: 'plan'"},
    {"unknown_subcommand_of_manifest", {"manifest", "chek"}, "found 'chek'; nearest: 'check'"},
    {"hostile_subcommand", {"\x1b[31m"}, "found '\\x1b[31m'"},
    {"hostile_option", {"plugins", "--\x1b[31m"}, "--\\x1b[31m"},
    {"unknown_option", {"plugins", "--fast"}, "--fast"},
    {"no_device", {"select"}, "--device is required"},
    {"device", {"select", "--device", "gpu"}, "--device: expected a device"},
    {"device_nearest", {"select", "--device", "cpi"}, "nearest: 'cpu'"},
    {"sm", {"select", "--device", "cuda:sm_91"}, "--device: expected"},
    {"kv", {"select", "--device", "cpu", "--kv", "fp9"}, "--kv: expected a KV format"},
    {"kv_not_for_this_cache",
     {"select", "--device", "cpu", "--kv", "fp8_ds_mla"},
     "--kv: expected a latent cache"},
    {"q", {"select", "--device", "cpu", "--q", "int3"}, "--q: expected"},
    {"out", {"select", "--device", "cpu", "--out", "int3"}, "--out: expected"},
    {"op", {"select", "--device", "cpu", "--op", "encode"}, "--op: expected"},
    {"layout", {"select", "--device", "cpu", "--layout", "dhn"}, "--layout: expected"},
    {"cache", {"select", "--device", "cpu", "--cache", "paged"}, "--cache: expected"},
    {"feature",
     {"select", "--device", "cpu", "--features", "causal,laser"},
     "--features: expected"},
    {"empty_feature",
     {"select", "--device", "cpu", "--features", "causal,"},
     "--features: expected"},
    {"two_masks", {"select", "--device", "cpu", "--features", "causal,cross"}, "expected one mask"},
    {"head_dim",
     {"select", "--device", "cpu", "--head-dim", "64,"},
     "--head-dim: expected N, or N,N"},
    {"three_head_dims",
     {"select", "--device", "cpu", "--head-dim", "1,2,3"},
     "--head-dim: expected N, or N,N"},
    {"negative_head_dim", {"select", "--device", "cpu", "--head-dim", "-64"}, "--head-dim"},
    {"heads",
     {"select", "--device", "cpu", "--q-heads", "9", "--kv-heads", "2"},
     "a multiple of the KV heads"},
    {"no_heads", {"select", "--device", "cpu", "--kv-heads", "0"}, "--kv-heads"},
    {"block", {"select", "--device", "cpu", "--block", "many"}, "--block"},
    {"block_hex", {"select", "--device", "cpu", "--block", "0x10"}, "in decimal, found '0x10'"},
    {"block_huge", {"select", "--device", "cpu", "--block", "99999999999"}, "--block: expected"},
    {"block_fraction", {"select", "--device", "cpu", "--block", "16.0"}, "--block: expected"},
    {"query_tokens_hex", {"select", "--device", "cpu", "--query-tokens", "0x1"}, "in decimal"},
    {"head_dim_hex", {"select", "--device", "cpu", "--head-dim", "0x40"}, "--head-dim: expected"},
    {"empty_report_json", {"run", "x.yaml", "--report-json", ""}, "--report-json: expected a file"},
    {"empty_report_html", {"run", "x.yaml", "--report-html", ""}, "--report-html: expected a file"},
    {"empty_matrix", {"matrix", "-o", ""}, "--output: expected a file's name, found nothing"},
    {"empty_plan_device", {"plan", "x.yaml", "--device", ""}, "--device: expected a device"},
    {"backend", {"select", "--device", "cpu", "--backend", "nope"}, "--backend: expected a plugin"},
    {"log", {"--log", "loud", "plugins"}, "--log: expected"},
    {"no_config", {"plan"}, "config is required"},
    {"config_missing", {"plan", "/nowhere.yaml"}, "/nowhere.yaml: expected a configuration"},
    {"run_config_missing", {"run", "/nowhere.yaml"}, "/nowhere.yaml: expected a configuration"},
    {"matrix_format", {"matrix", "--format", "pdf"}, "--format"},
    {"manifest_alone", {"manifest"}, "subcommand is required"},
    {"manifest_embed_without_output", {"manifest", "embed", "x.yaml"}, "--output is required"},
};
INSTANTIATE_TEST_SUITE_P(All, WrongUse, testing::ValuesIn(kWrong),
                         [](const auto& p) { return p.param.name; });

TEST(Usage, HelpAndVersionAreNoErrors) {
  for (const char* option : {"--help", "--version"}) {
    const test::Ran ran = attnrt({option});
    EXPECT_EQ(ran.code, 0);
    EXPECT_THAT(ran.out, HasSubstr("attnrt"));
  }
  EXPECT_THAT(attnrt({"select", "--help"}).out, HasSubstr("--head-dim"));
}

TEST(Usage, HelpListsOnlyWhatExists) {
  const std::string help = attnrt({"--help"}).out;
  for (const char* word : {"plugins", "select", "plan", "run", "matrix", "manifest"}) {
    EXPECT_THAT(help, HasSubstr(word));
  }
}

TEST(Usage, ConfigurationErrorsNameLineAndColumn) {
  const test::Folder folder;
  const std::string file =
      folder.file("run.yaml", "model: {geometry: smollm2-135m}\ndevise: cpu\n");
  const test::Ran ran = attnrt({"plan", file});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr(file + ":2:1: expected a key of a run"));
}

TEST(Usage, NumbersAreDecimalWhateverTheyBeginWith) {
  const auto ask = [](const char* block) {
    return attnrt({"select", "--device", "cuda:sm_90", "--json", "--manifests", test::kManifests,
                   "--plugins", "/nowhere", "--block", block})
        .out;
  };
  EXPECT_THAT(ask("016"), HasSubstr("\"block_size\": 16,"));
  EXPECT_EQ(ask("016"), ask("16"));
}

TEST(Usage, PathsThatATerminalWouldObeyAreEscaped) {
  const test::Ran ran = attnrt({"plan", "/nowhere\x1b]0;x\x07\xff.yaml"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("/nowhere\\x1b]0;x\\x07\\xff.yaml: expected a configuration"));
  // A folder that is not there is logged, and printed as one that was searched.
  const test::Ran listed = attnrt({"plugins", "--plugins", "/nowhere\x1b[31m"});
  EXPECT_THAT(listed.err, HasSubstr("/nowhere\\x1b[31m"));
  EXPECT_THAT(listed.out, HasSubstr("searched: /nowhere\\x1b[31m"));
  EXPECT_EQ((listed.out + listed.err).find('\x1b'), std::string::npos);
}

TEST(Usage, ConfigurationsThatWouldNeverEndAreRefusedAtOnce) {
  const test::Folder folder;
  const std::string fifo = folder.path() + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  for (const auto& [path, found] : {std::pair<std::string, const char*>{fifo, "found a FIFO"},
                                    {"/dev/zero", "found a device"},
                                    {folder.path(), "found a folder"}}) {
    const test::Ran ran = attnrt({"plan", path});
    EXPECT_EQ(ran.code, 2) << path;
    EXPECT_THAT(ran.err, HasSubstr(path + ": expected a configuration, " + found));
  }
}

TEST(Usage, OptionsOfAllCommandsStandBeforeOrBehind) {
  EXPECT_EQ(attnrt({"--json", "plugins"}).out, attnrt({"plugins", "--json"}).out);
}

TEST(Usage, ADiskThatIsFullIsNoSuccess) {
  const test::Ran ran = test::run_program(
      "/bin/sh", {"-c", std::string(ATTNRT_BINARY_DIR) + "/bin/attnrt plugins > /dev/full"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("stdout"));
}

}  // namespace
}  // namespace attnrt
