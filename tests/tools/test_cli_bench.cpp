// attnrt bench: what other programs read, what people read, what is refused, and profiles that the
// selector then follows. Tiny shapes: the figures mean nothing, their form does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/tools/ran.hpp"

namespace attnrt {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::Not;

const std::string kCsv =
    "name,phase,batch,q_len,kv_len,q_heads,kv_heads,head_dim,block\n"
    "tiny decode,decode,2,1,40,4,2,64,16\n"
    "tiny prefill,prefill,1,9,9,4,2,64,\n";

class CliBench : public testing::Test {
 protected:
  // As short as can be: once, over next to nothing.
  test::Ran bench(std::vector<std::string> args) {
    args.insert(args.begin(), "bench");
    args.insert(args.end(),
                {"--iterations", "1", "--kv-mib", "1", "--min-time", "0", "--threads", "1"});
    return test::attnrt(args);
  }
  std::string csv() { return folder_.file("shapes.csv", kCsv); }
  test::Folder folder_;
};

TEST_F(CliBench, JsonIsAListAndNothingElse) {
  const test::Ran ran =
      bench({"--shapes", csv(), "--format", "bf16", "--backend", "reference", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "") << "no bar where stderr is no terminal";
  const Json list = Json::parse(ran.out);
  ASSERT_EQ(list.size(), 2u);
  const std::set<std::string> wanted{"name",    "format",  "threads", "median_ms",     "min_ms",
                                     "kv_gb_s", "gflop_s", "limit",   "share_of_limit"};
  for (const Json& figure : list) {
    std::set<std::string> keys;
    for (const auto& [key, value] : figure.items()) keys.insert(key);
    EXPECT_EQ(keys, wanted);
    EXPECT_EQ(figure["format"], "bf16");
    EXPECT_EQ(figure["threads"], 1);
    EXPECT_GT(figure["median_ms"].get<double>(), 0);
    EXPECT_LE(figure["min_ms"].get<double>(), figure["median_ms"].get<double>());
    EXPECT_GT(figure["kv_gb_s"].get<double>(), 0);
    EXPECT_GT(figure["gflop_s"].get<double>(), 0);
    EXPECT_GT(figure["share_of_limit"].get<double>(), 0);
    EXPECT_TRUE(figure["limit"].is_string());
  }
  EXPECT_EQ(list[0]["name"], "tiny decode");
  EXPECT_EQ(list[1]["name"], "tiny prefill");
}

TEST_F(CliBench, RatesFollowFromTheShapeAndTheTime) {
  const test::Ran ran = bench({"--shapes", csv(), "--backend", "reference", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json decode = Json::parse(ran.out)[0];
  const double seconds = decode["median_ms"].get<double>() / 1e3;
  EXPECT_NEAR(decode["kv_gb_s"].get<double>() * seconds * 1e9, 2 * 40 * 2 * 2 * 64 * 2, 1);
  EXPECT_NEAR(decode["gflop_s"].get<double>() * seconds * 1e9, 2 * 40 * 4 * 4 * 64, 1);
}

TEST_F(CliBench, PeopleReadLimitsAndShares) {
  const test::Ran ran = bench({"--shapes", csv(), "--format", "int8_per_token_head"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  for (const char* word : {"read memory", "GB/s", "GFLOP/s", "tiny decode", "tiny prefill",
                           "int8_per_token_head", "SHARE", "MEDIAN ms", "attend alone"}) {
    EXPECT_THAT(ran.out, HasSubstr(word));
  }
}

TEST_F(CliBench, WritesAPageAndEverythingItKnows) {
  const std::string page = folder_.path() + "/r.html", data = folder_.path() + "/r.json";
  const test::Ran ran = bench({"--shapes", csv(), "--html", page, "--report-json", data});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::string html = test::read_text(page);
  for (const char* word : {"<svg", "Roofline", "tiny decode", "tiny prefill", "memory"}) {
    EXPECT_THAT(html, HasSubstr(word));
  }
  for (const char* outside : {"http:", "https:", "<script", "<link", "src=", "@import"}) {
    EXPECT_THAT(html, Not(HasSubstr(outside)));
  }
  const Json report = Json::parse(test::read_text(data));
  EXPECT_EQ(report["limits"][0]["read"].back()["level"], "memory");
  EXPECT_FALSE(report["limits"][0]["flops"].empty());
  EXPECT_EQ(report["figures"][0]["block_size"], 16);
  EXPECT_EQ(report["figures"][0]["kv_len"], 40);
}

TEST_F(CliBench, DrawsAPictureWhereTheBuildHasPng) {
  const std::string picture = folder_.path() + "/r.png";
  const test::Ran ran = bench({"--shapes", csv(), "--png", picture});
  if (ran.err.find("libpng") != std::string::npos) GTEST_SKIP() << "a build without libpng";
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(test::read_text(picture).substr(1, 3), "PNG");
}

// Every element that is opened is closed again, in order.
std::string unbalanced(const std::string& html) {
  const std::set<std::string> alone{"meta", "line", "!doctype", "br"};
  std::vector<std::string> open;
  for (size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const size_t end = html.find('>', at);
    if (end == std::string::npos) return "no end of " + html.substr(at, 40);
    const bool closing = html[at + 1] == '/';
    const size_t begin = at + (closing ? 2 : 1);
    const std::string name = html.substr(begin, html.find_first_of(" />", begin) - begin);
    if (alone.contains(name)) continue;
    if (!closing) {
      open.push_back(name);
    } else if (open.empty() || open.back() != name) {
      return "</" + name + "> at " + std::to_string(at);
    } else {
      open.pop_back();
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> stays open";
}

TEST_F(CliBench, ThePageIsWellFormed) {
  const std::string page = folder_.path() + "/r.html";
  const std::string shapes =
      folder_.file("odd.csv",
                   "name,phase,batch,q_len,kv_len,q_heads,kv_heads,head_dim\n"
                   "\"<b>\"\"bold\"\" & co\",decode,1,1,4,2,1,64\n");
  ASSERT_EQ(bench({"--shapes", shapes, "--html", page}).code, 0);
  EXPECT_EQ(unbalanced(test::read_text(page)), "");
  EXPECT_EQ(unbalanced("<p><b></p>"), "</p> at 6") << "the check itself";
}

TEST_F(CliBench, AConfigurationSweepsAndOptionsReplaceItsKeys) {
  csv();
  const std::string yaml = folder_.file("bench.yaml",
                                        "bench:\n"
                                        "  shapes: shapes.csv\n"
                                        "  formats: [f32, fp8_e4m3]\n"
                                        "  backends: [reference]\n");
  const test::Ran swept = bench({yaml, "--json"});
  ASSERT_EQ(swept.code, 0) << swept.err;
  EXPECT_EQ(Json::parse(swept.out).size(), 4u);
  const test::Ran replaced = bench({yaml, "--format", "f16", "--json"});
  ASSERT_EQ(replaced.code, 0) << replaced.err;
  ASSERT_EQ(Json::parse(replaced.out).size(), 2u);
  EXPECT_EQ(Json::parse(replaced.out)[0]["format"], "f16");
}

struct Wrong {
  const char* name;
  std::vector<std::string> args;
  int code;
  const char* message;
  friend std::ostream& operator<<(std::ostream& out, const Wrong& w) { return out << w.name; }
};

class WrongBench : public CliBench, public testing::WithParamInterface<Wrong> {};

TEST_P(WrongBench, IsRefusedBeforeAnythingIsMeasured) {
  std::vector<std::string> args = GetParam().args;
  for (std::string& arg : args) {
    if (arg == "CSV") arg = csv();
  }
  const test::Ran ran = bench(args);
  EXPECT_EQ(ran.code, GetParam().code) << ran.out << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr(GetParam().message));
}

const Wrong kWrong[] = {
    {"nothing", {}, 2, "a configuration, or --shapes FILE.csv"},
    {"no_file", {"--shapes", "none.csv"}, 2, "none.csv"},
    {"format", {"--shapes", "CSV", "--format", "bf17"}, 2, "--format: expected a KV format"},
    {"layout", {"--shapes", "CSV", "--layout", "dhn"}, 2, "--layout: expected"},
    {"backend", {"--shapes", "CSV", "--backend", "cpux"}, 2, "--backend: expected a plugin"},
    {"seed", {"--shapes", "CSV", "--seed", "-1"}, 2, "--seed"},
    {"device_that_is_none",
     {"--shapes", "CSV", "--device", "gpu"},
     2,
     "--device: expected a device"},
    {"device_of_another_machine",
     {"--shapes", "CSV", "--device", "cuda:sm_90"},
     2,
     "--device: expected a device of this machine: cpu, cuda:0, …, found cuda:sm_90, which can "
     "only "
     "be planned for; measure on a machine that has it"},
    {"device_that_is_not_here",
     {"--shapes", "CSV", "--device", "cuda:63"},
     2,
     "--device: expected"},
    {"format_of_other_caches",
     {"--shapes", "CSV", "--format", "nvfp4_ds_mla", "--backend", "reference"},
     3,
     "tiny decode, nvfp4_ds_mla on reference: expected a backend"},
    {"no_kernel", {"--shapes", "CSV", "--format", "turboquant_k8v4"}, 3, "turboquant_k8v4"},
};
INSTANTIATE_TEST_SUITE_P(All, WrongBench, testing::ValuesIn(kWrong),
                         [](const auto& p) { return p.param.name; });

TEST_F(CliBench, CsvErrorsHaveLineAndColumn) {
  const std::string bad = folder_.file("bad.csv", kCsv + "third,decode,1,1,x,4,2,64,\n");
  const test::Ran ran = bench({"--shapes", bad});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("bad.csv:4:18: expected kv_len"));
}

TEST_F(CliBench, FilesThatCannotBeWrittenAreErrors) {
  const test::Ran ran = bench({"--shapes", csv(), "--html", folder_.path() + "/none/r.html"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("--html: expected a file that can be written"));
  EXPECT_EQ(ran.out, "") << "found out before anything is measured";
}

// A profile of both plugins; the slower one's time is then put below the other's.
class ProfileLoop : public CliBench {
 protected:
  void SetUp() override {
    profile_ = folder_.path() + "/p.json";
    const test::Ran ran = bench({"--shapes", csv(), "--backend", "cpu", "--backend", "reference",
                                 "--profile-out", profile_, "--json"});
    if (ran.err.find("--backend: expected a plugin") != std::string::npos) {
      GTEST_SKIP() << "without the cpu plugin";
    }
    ASSERT_EQ(ran.code, 0) << ran.err;
    ASSERT_EQ(Json::parse(ran.out).size(), 4u);
    EXPECT_EQ(Json::parse(ran.out)[1]["backend"], "reference") << "named where there are several";
  }
  std::string fastest(const std::string& plugin) {
    Json profile = Json::parse(test::read_text(profile_));
    for (Json& entry : profile["measured"]) {
      for (Json& kernel : entry["kernels"]) {
        kernel["ms"] = kernel["plugin"] == plugin ? 0.5 : 2.0;
      }
    }
    return folder_.file("changed.json", profile.dump());
  }
  test::Ran select(const std::vector<std::string>& more) {
    std::vector<std::string> args{"select",    "--device", "cpu",        "--head-dim", "64",
                                  "--q-heads", "4",        "--kv-heads", "2"};
    args.insert(args.end(), more.begin(), more.end());
    return test::attnrt(args);
  }
  std::string profile_;
};

TEST_F(ProfileLoop, TheSelectorFollowsItAndSaysSo) {
  const std::string changed = fastest("reference");
  const test::Ran ran = select({"--profile", changed, "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json json = Json::parse(ran.out);
  EXPECT_EQ(json["chosen"]["plugin"], "reference") << "against the scores";
  EXPECT_EQ(json["reason"]["by"], "profile");
  EXPECT_EQ(json["reason"]["profile"], changed);
  EXPECT_EQ(json["reason"]["ms"], 0.5);
  EXPECT_EQ(json["reason"]["next"]["plugin"], "cpu");
  EXPECT_EQ(json["reason"]["next"]["ms"], 2.0);
  EXPECT_THAT(select({"--profile", changed}).out,
              HasSubstr("why: the measured profile " + changed + ": 0.5 ms; cpu"));
}

TEST_F(ProfileLoop, OtherClassesKeepTheirScores) {
  const test::Ran ran = select({"--profile", fastest("reference"), "--kv", "f16", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(Json::parse(ran.out)["chosen"]["plugin"], "cpu");
  EXPECT_EQ(Json::parse(ran.out)["reason"]["by"], "score");
}

TEST_F(ProfileLoop, PlansFollowItToo) {
  const std::string changed = fastest("reference");
  const std::string yaml =
      folder_.file("run.yaml",
                   "model: {dtype: bf16, layers: [{q_heads: 4, kv_heads: 2, head_dim: 64}]}\n"
                   "plugins: {profile: changed.json}\n");
  const test::Ran ran = test::attnrt({"plan", yaml, "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json plan = Json::parse(ran.out);
  bool decode = false;
  for (const Json& layer : plan["layers"]) {
    if (layer["op"] != "decode") continue;
    decode = true;
    EXPECT_EQ(layer["chosen"]["plugin"], "reference");
  }
  EXPECT_TRUE(decode);
}

TEST_F(ProfileLoop, OfAnotherDeviceIsRefused) {
  const test::Ran ran = test::attnrt({"select", "--device", "cuda:sm_90", "--profile", profile_});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("p.json: expected a profile of cuda:sm_90, found one of cpu:"));
}

TEST_F(CliBench, WhatIsNoProfileIsRefused) {
  const std::string broken = folder_.file("p.json", "{\"attnrt_profile\": 1, \"device\": 3}");
  const test::Ran ran = test::attnrt({"select", "--device", "cpu", "--profile", broken});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("p.json:1:33: expected a device"));
}

}  // namespace
}  // namespace attnrt
