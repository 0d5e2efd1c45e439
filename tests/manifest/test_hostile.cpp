// Texts that nobody should be able to hurt us with: each is an error, none costs much.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "attnrt/plugin.h"
#include "manifest/kernel.hpp"
#include "manifest/yaml.hpp"
#include "tests/manifest/sample.hpp"

namespace attnrt {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string repeat(std::string_view text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

void expect_refused(std::string_view text, std::string_view reason) {
  const Result<Manifest> manifest = parse_manifest(text, "m.yaml");
  ASSERT_FALSE(manifest.ok()) << text.substr(0, 80);
  EXPECT_EQ(manifest.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(manifest.error().where, StartsWith("m.yaml"));
  EXPECT_THAT(to_string(manifest.error()), HasSubstr(std::string(reason)));
}

TEST(HostileYaml, EmptyOrShapeless) {
  expect_refused("", "empty");
  expect_refused("# only a comment\n", "");
  expect_refused("just text", "a map");
  expect_refused("[1, 2]", "a map");
  expect_refused("42", "a map");
  expect_refused("~", "a map");
}

TEST(HostileYaml, BrokenSyntaxHasItsPlace) {
  const Result<Manifest> manifest = parse_manifest("a: 1\nb: [1, 2\nc: 3\n", "m.yaml");
  ASSERT_FALSE(manifest.ok());
  EXPECT_THAT(manifest.error().where, StartsWith("m.yaml:"));
  for (const char* text : {"a: b: c: d", "{",      "}", "\"", "'",   "- a\nb", "&",
                           "*",          "!",      "%", "@",  "`",   "? :",    "a:\n\t- b",
                           "{a: 1, a",   "[a, b}", "|", ">",  "---", "...",    "a: 'unterminated",
                           "? ? ?"}) {
    EXPECT_FALSE(parse_manifest(text, "m.yaml").ok()) << text;
  }
}

TEST(HostileYaml, TooLong) {
  expect_refused(std::string(kMaxYamlBytes + 1, ' '), "at most 65536 bytes");
  std::string padded(kSample);
  padded += "#" + std::string(kMaxYamlBytes - padded.size() - 1, ' ');
  EXPECT_TRUE(parse_manifest(padded, "m.yaml").ok());
  EXPECT_EQ(kMaxYamlBytes, size_t{ATTNRT_MANIFEST_MAX_BYTES});
}

TEST(HostileYaml, DeepNestingIsRefusedBeforeTheStackEnds) {
  expect_refused(repeat("[", 60000), "");
  expect_refused(repeat("{a: ", 15000), "");
  expect_refused(repeat("- ", 30000), "");
  expect_refused(repeat("? ", 30000), "");
  expect_refused("x-a: " + repeat("[", 17) + repeat("]", 17), "levels of nesting");
}

TEST(HostileYaml, AnchorsAliasesTagsAndSecondDocuments) {
  expect_refused("a: &x [1]\nb: *x\n", "an anchor");
  expect_refused("a: &x 1\n", "an anchor");
  expect_refused("a: *x\n", "");
  std::string bomb = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) {
    const std::string n = std::to_string(i), before = std::to_string(i - 1);
    bomb += "a" + n + ": &a" + n + " [*a" + before + ", *a" + before + "]\n";
  }
  expect_refused(bomb, "an anchor");
  expect_refused("a: !!binary aGVsbG8=\n", "the tag");
  expect_refused("a: !evil {}\n", "the tag");
  expect_refused(std::string(kSample) + "---\n" + std::string(kSample), "more than one");
}

TEST(HostileYaml, BytesThatAreNoText) {
  using std::string_literals::operator""s;
  for (const std::string& bytes : {"\0"s, "\x80"s, "\xff\xfe"s, "\xc0\xaf"s, "\xed\xa0\x80"s,
                                   "\xf5\x80\x80\x80"s, "\xc3"s, "\x1b[2J"s, "\x7f"s}) {
    expect_refused(with("A sample", "A " + bytes), "UTF-8");
  }
  EXPECT_TRUE(parse_manifest(with("A sample", "Größe ≥ 1 😀"), "m.yaml").ok());
}

TEST(HostileYaml, TooManyKernelsOrValues) {
  const std::string frame =
      "attnrt_manifest: 1\nabi: 1\nplugin: {name: a, version: 1, vendor: a, license: a, "
      "description: a}\nkernels:\n";
  expect_refused(frame + repeat("- {name: k}\n", kMaxKernels + 1), "256 kernels");
  expect_refused(with("[80, 90a, 100f]", "[" + repeat("80, ", kMaxListValues) + "80]"),
                 "512 values");
  expect_refused(with("[64, [192, 128], {multiple_of: 32, min: 96, max: 160}]",
                      "[" + repeat("64, ", kMaxListValues) + "64]"),
                 "512 values");
}

// No outcome is expected but that there is one: what it is worth shows under the sanitizers.
TEST(HostileYaml, RandomDamageIsAnErrorOrAManifest) {
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text(kSample);
    for (uint32_t hits = 1 + random() % 4; hits > 0; --hits) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random() % 256);
          break;
        case 1:
          text.erase(at, 1 + random() % 20);
          break;
        case 2:
          text.insert(at, 1, "[]{}:,&*!|>-?'\"\n #%"[random() % 19]);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 40));
          break;
      }
    }
    const Result<Manifest> manifest = parse_manifest(text, "m.yaml");
    if (manifest.ok()) {
      ++accepted;
    } else {
      EXPECT_FALSE(manifest.error().found.empty());
    }
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 3000);
}

TEST(HostileYaml, AManifestThatIsCutShortServesNothing) {
  // A cut within a key leaves a key that is unknown, and so a kernel that is refused.
  for (size_t n = 0; n < kSample.find("features"); ++n) {
    const Result<Manifest> manifest = parse_manifest(kSample.substr(0, n), "m.yaml");
    if (manifest.ok()) {
      EXPECT_FALSE(manifest->kernels[0].unknown_keys.empty()) << n;
    }
  }
}

}  // namespace
}  // namespace attnrt
