// attnrt select over bare manifests only: decisions, reasons, and alternatives that work.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/tools/ran.hpp"

namespace attnrt {
namespace {

using Json = nlohmann::json;
using test::Ran;
using testing::HasSubstr;

// No plugins at all, the engines' bare manifests.
class Select : public testing::Test {
 protected:
  Ran run(std::vector<std::string> args) {
    args.insert(args.begin(),
                {"select", "--plugins", none_.path(), "--manifests", test::kManifests});
    return test::attnrt(args);
  }
  Json json(std::vector<std::string> args, int code) {
    args.emplace_back("--json");
    const Ran ran = run(args);
    EXPECT_EQ(ran.code, code) << ran.out << ran.err;
    return Json::parse(ran.out);
  }
  test::Folder none_;
};

// DESIGN's example: no nvfp4 kernel for this head size on that device.
const std::vector<std::string> kRefused{"--device", "cuda:sm_120", "--kv",
                                        "nvfp4",    "--head-dim",  "64"};

TEST_F(Select, ServedRequestNamesItsKernel) {
  const Json json = this->json({"--device", "cuda:sm_90", "--kv", "fp8"}, 0);
  EXPECT_EQ(json["chosen"]["plugin"], "flash_attn");
  EXPECT_EQ(json["resolved"]["kv"], "fp8_e4m3");
  EXPECT_EQ(json["request"]["kv"], "fp8") << "the request stays as written";
  EXPECT_EQ(json["request"]["head_dim"], Json({128, 128}));
  EXPECT_EQ(json["kv_bytes_per_token"], 2048);
  EXPECT_TRUE(json["alternatives"].empty());
}

TEST_F(Select, DefaultsAreThoseOfTheDesign) {
  const Json request = json({"--device", "cuda:sm_90"}, 0)["request"];
  EXPECT_EQ(request["op"], "decode");
  EXPECT_EQ(request["query_tokens"], 1);
  EXPECT_EQ(request["q"], "bf16");
  EXPECT_EQ(request["kv"], "auto");
  EXPECT_EQ(request["cache"], "separate");
  EXPECT_EQ(request["layout"], "nhd");
  EXPECT_EQ(request["block_size"], 16);
  EXPECT_EQ(request["q_heads"], 32);
  EXPECT_EQ(request["kv_heads"], 8);
  EXPECT_EQ(request["features"], Json({"causal"}));
  EXPECT_EQ(request["tensors"], "packed");
  EXPECT_EQ(request["pages"], "packed");
  EXPECT_EQ(request["alignment"], 16);
}

TEST_F(Select, AutoIsTheQueriesDtypeAndFp8TheDevices) {
  EXPECT_EQ(json({"--device", "cuda:sm_90", "--q", "half"}, 0)["resolved"]["kv"], "f16");
  EXPECT_EQ(json({"--device", "rocm:gfx942", "--kv", "fp8"}, 0)["resolved"]["kv"], "fp8_e4m3fnuz");
}

TEST_F(Select, RefusalNamesEveryFailedRuleOfEveryKernel) {
  const Json json = this->json(kRefused, 3);
  EXPECT_TRUE(json["chosen"].is_null());
  EXPECT_GT(json["candidates"].size(), 30u);
  for (const Json& candidate : json["candidates"]) {
    EXPECT_FALSE(candidate["accepted"].get<bool>());
    ASSERT_FALSE(candidate["failed"].empty()) << candidate;
    for (const Json& rule : candidate["failed"]) {
      EXPECT_TRUE(rule["rule"].is_string());
      EXPECT_TRUE(rule["asked"].is_string());
      EXPECT_TRUE(rule["allowed"].is_array());
      if (rule["rule"] == "kv") {
        EXPECT_EQ(rule["asked"], "nvfp4") << "as written";
      }
    }
  }
}

TEST_F(Select, AlternativesWorkWhenPutBackAsOptions) {
  const Json alternatives = json(kRefused, 3)["alternatives"];
  ASSERT_FALSE(alternatives.empty());
  EXPECT_LE(alternatives.size(), 8u);
  for (const Json& alternative : alternatives) {
    std::vector<std::string> args = kRefused;
    for (const auto& [key, value] : alternative["change"].items()) {
      const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
      const auto at = std::find(args.begin(), args.end(), "--" + key);
      if (at != args.end()) {
        *(at + 1) = text;
      } else {
        args.insert(args.end(), {"--" + key, text});
      }
    }
    const Json served = json(args, 0);
    EXPECT_EQ(served["chosen"], alternative["chosen"]) << alternative;
    EXPECT_EQ(served["kv_bytes_per_token"], alternative["kv_bytes_per_token"]) << alternative;
  }
}

TEST_F(Select, PeopleReadReasonsAndOptions) {
  const Ran ran = run(kRefused);
  EXPECT_EQ(ran.code, 3);
  EXPECT_THAT(ran.out, HasSubstr("nothing can serve this"));
  EXPECT_THAT(ran.out, HasSubstr("flashinfer"));
  EXPECT_THAT(ran.out, HasSubstr("what would be served, checked:"));
  EXPECT_THAT(ran.out, HasSubstr("--kv "));
}

TEST_F(Select, ServedAnswerIsShortUnlessAllIsAsked) {
  EXPECT_THAT(run({"--device", "cuda:sm_90"}).out, testing::Not(HasSubstr("ALLOWED")));
  EXPECT_THAT(run({"--device", "cuda:sm_90", "--all"}).out, HasSubstr("ALLOWED"));
}

TEST_F(Select, SpellingOfTwoLayoutsTakesTheOneThatIsServed) {
  const Json linear = json({"--device", "cuda:sm_120", "--kv", "nvfp4"}, 0);
  EXPECT_EQ(linear["resolved"]["kv"], "nvfp4_linear");
  EXPECT_EQ(linear["resolved"]["kv_all"], Json({"nvfp4_linear", "nvfp4_swizzled"}));
  const Json swizzled = json({"--device", "cuda:sm_100", "--kv", "nvfp4"}, 0);
  EXPECT_EQ(swizzled["resolved"]["kv"], "nvfp4_swizzled");
}

TEST_F(Select, ForcedBackendThatCannotServeIsARefusalWithItsReasons) {
  const std::vector<std::string> args{"--device", "cuda:sm_80", "--kv",
                                      "fp8",      "--backend",  "flash_attn"};
  const Json json = this->json(args, 3);
  EXPECT_TRUE(json["chosen"].is_null()) << "never a silent fallback";
  for (const Json& candidate : json["candidates"]) {
    const bool forced = candidate["plugin"] == "flash_attn";
    bool by_policy = false;
    for (const Json& rule : candidate["failed"]) by_policy |= rule["rule"] == "policy";
    EXPECT_EQ(by_policy, !forced) << candidate;
  }
  for (const Json& alternative : json["alternatives"]) {
    EXPECT_EQ(alternative["chosen"]["plugin"], "flash_attn");
  }
}

TEST_F(Select, OpsWithoutFeaturesAreDescribedWithoutEmptyPieces) {
  for (const char* op : {"append", "merge"}) {
    const std::string first = run({"--device", "cuda:sm_90", "--op", op}).out;
    const std::string line = first.substr(0, first.find('\n'));
    EXPECT_THAT(line, testing::StartsWith(op));
    EXPECT_THAT(line, testing::Not(HasSubstr(", ,")));
    EXPECT_THAT(line, testing::Not(testing::EndsWith(", ")));
  }
}

TEST_F(Select, WholeBytesAreIntegers) {
  const Json served = json({"--device", "cuda:sm_90", "--kv", "fp8"}, 0);
  EXPECT_TRUE(served["kv_bytes_per_token"].is_number_integer());
  const Json refused = json(kRefused, 3);
  for (const Json& way : refused["alternatives"]) {
    const Json& bytes = way["kv_bytes_per_token"];
    EXPECT_TRUE(bytes.is_number_integer() || bytes != std::floor(bytes.get<double>())) << way;
  }
}

// A kernel of packed rows alone, in a folder of its own.
class SelectRows : public Select {
 protected:
  Ran run(std::vector<std::string> args) {
    manifests_.file("narrow.yaml", R"(attnrt_manifest: 1
abi: 1
plugin: {name: narrow, version: 1.0.0, vendor: test, license: Apache-2.0, description: packed}
kernels:
  - {name: k, device: cuda, sm: [90], op: [decode], q: [bf16], kv: [bf16], head_dim: [128],
     block_size: [16], layout: [nhd], group: {max: 8}, features: [causal],
     tensors: [packed], pages: [packed], alignment: 32}
)");
    args.insert(args.begin(), {"select", "--plugins", none_.path(), "--manifests",
                               manifests_.path(), "--device", "cuda:sm_90"});
    return test::attnrt(args);
  }
  test::Folder manifests_;
};

TEST_F(SelectRows, ReasonsAndWaysOutAreThoseOfAnyKey) {
  const Ran ran = run({"--tensors", "strided", "--pages", "strided", "--json"});
  ASSERT_EQ(ran.code, 3) << ran.err;
  const Json json = Json::parse(ran.out);
  std::vector<std::string> rules;
  for (const Json& rule : json["candidates"][0]["failed"]) rules.push_back(rule["rule"]);
  EXPECT_THAT(rules, testing::ElementsAre("tensors", "pages", "alignment"));
  ASSERT_EQ(json["alternatives"].size(), 1U);
  EXPECT_EQ(json["alternatives"][0]["change"],
            Json({{"tensors", "packed"}, {"pages", "packed"}, {"alignment", 32}}));
  const Ran text = run({"--pages", "strided", "--alignment", "8"});
  EXPECT_THAT(text.out, HasSubstr("strided pages, multiples of 8 bytes"));
  EXPECT_THAT(text.out, HasSubstr("--pages packed --alignment 32"));
  EXPECT_EQ(run({"--alignment", "32"}).code, 0);
}

TEST_F(SelectRows, ValuesThatAreNoneAreErrorsOfUse) {
  EXPECT_EQ(run({"--tensors", "dense"}).code, 2);
  EXPECT_THAT(run({"--pages", "padded"}).err, HasSubstr("--pages: expected the strides of rows"));
  EXPECT_THAT(run({"--alignment", "24"}).err, HasSubstr("a power of two for the alignment"));
}

TEST_F(Select, NothingAtAllIsARefusalToo) {
  const Ran ran = test::attnrt({"select", "--plugins", none_.path(), "--device", "cpu", "--json"});
  EXPECT_EQ(ran.code, 3);
  EXPECT_TRUE(Json::parse(ran.out)["candidates"].empty());
}

}  // namespace
}  // namespace attnrt
