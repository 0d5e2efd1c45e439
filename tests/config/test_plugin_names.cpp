// Names of plugins, which are checked once plugins are known: errors have the name's own place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/config/fixture.hpp"

namespace attnrt {
namespace {

Catalog catalog(const std::vector<std::string>& names) {
  std::vector<CatalogEntry> entries;
  for (const std::string& name : names) {
    entries.emplace_back();
    entries.back().manifest.name = name;
  }
  return Catalog(std::move(entries));
}

Status checked(const std::string& line, const std::vector<std::string>& names) {
  const Result<RunFile> file = test::parse(test::with(line));
  EXPECT_TRUE(file.ok()) << to_string(file.error());
  if (!file.ok()) return file.error();
  const Catalog known = catalog(names);
  if (Status s = check_plugin_names(file->runs[0], known); !s) return s;
  return check_oracle_name(file->runs[0], known);
}

struct Bad {
  const char* name;
  const char* line;
  const char* message;  // its beginning
  friend std::ostream& operator<<(std::ostream& out, const Bad& bad) { return out << bad.name; }
};

class PluginNames : public testing::TestWithParam<Bad> {};

TEST_P(PluginNames, AreRefusedAtTheirPlace) {
  const Status s = checked(GetParam().line, {"cpu", "reference"});
  ASSERT_FALSE(s.ok());
  EXPECT_EQ(s.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(to_string(s.error()), testing::StartsWith(GetParam().message));
}

const Bad kBad[] = {
    {"require", "plugins: {require: cpi}",
     "/etc/runs/run.yaml:2:20: expected a plugin that was found (cpu, reference), found 'cpi'; "
     "nearest: 'cpu'"},
    {"prefer", "plugins: {prefer: [cpu, referense]}",
     "/etc/runs/run.yaml:2:25: expected a plugin that was found (cpu, reference), found "
     "'referense'; nearest: 'reference'"},
    {"one_word", "plugins: {deny: x}", "/etc/runs/run.yaml:2:17: expected a plugin"},
    {"of_the_device", "plugins: {prefer: [cpu], per_device: {cpu: {prefer: [cpx]}}}",
     "/etc/runs/run.yaml:2:54: expected a plugin"},
    {"options", "plugins: {options: {cpo: {threads: 1}}}",
     "/etc/runs/run.yaml:2:26: expected a plugin"},
    {"twice", "plugins: {prefer: [cpu, cpu]}",
     "/etc/runs/run.yaml:2:25: expected each plugin once in prefer, found 'cpu' a second time"},
    {"contradiction", "plugins: {require: cpu, prefer: [reference]}",
     "/etc/runs/run.yaml:2:33: expected a policy without contradiction, found 'reference' "
     "preferred where 'cpu' is required"},
    {"oracle", "verify: {against: nope}",
     "/etc/runs/run.yaml:2:19: expected a plugin that was found (cpu, reference), found 'nope'; "
     "nearest: "},
};
INSTANTIATE_TEST_SUITE_P(All, PluginNames, testing::ValuesIn(kBad),
                         [](const auto& p) { return p.param.name; });

TEST(PluginNames, ThatAreThereAreFine) {
  EXPECT_TRUE(checked("plugins: {prefer: [cpu, reference], deny: [], options: {cpu: {a: b}}}",
                      {"cpu", "reference"})
                  .ok());
  EXPECT_TRUE(checked("plugins: {per_device: {cuda: {prefer: [flash]}}}", {"cpu"}).ok())
      << "another device's policy is not this run's";
  EXPECT_TRUE(checked("verify: {against: cpu}", {"cpu"}).ok());
}

TEST(PluginNames, WithoutAnyPluginThePathIsToBlame) {
  const Status s = checked("plugins: {require: cpu}", {});
  ASSERT_FALSE(s.ok());
  EXPECT_EQ(s.error().remedy, "no plugin was found at all: check the plugin path");
}

TEST(Places, AreThoseOfTheNearestKeyAbove) {
  const Places places{{"a", "f:1:1"}, {"a.b", "f:1:4"}};
  EXPECT_EQ(place_of(places, "a.b"), "f:1:4");
  EXPECT_EQ(place_of(places, "a.b.0"), "f:1:4");
  EXPECT_EQ(place_of(places, "a.c"), "f:1:1");
  EXPECT_EQ(place_of(places, "d"), "");
  RunConfig run;
  run.where = "f:9:9";
  EXPECT_EQ(run.place("d.e"), "f:9:9");
}

}  // namespace
}  // namespace attnrt
