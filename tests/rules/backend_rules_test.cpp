// Replays the engines' accept and reject rules through the selector: what they take, a kernel of
// the same backend's manifest takes; what they refuse is refused for the same reason.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/rules/cases.hpp"
#include "tests/rules/catalog.hpp"

namespace attnrt::rules {
namespace {

// The failed rules of every kernel of the backend, one set a kernel and format.
std::vector<uint32_t> failures(const Case& c, const std::string& backend) {
  const Catalog& catalog = todays_backends();
  std::vector<uint32_t> all;
  for (Format format : c.formats) {
    Request request = c.request;
    request.kv = format;
    for (const Candidate& candidate : select(request, catalog).candidates) {
      if (catalog.entries()[candidate.plugin].manifest.name == backend) {
        all.push_back(candidate.failed);
      }
    }
  }
  return all;
}

std::string describe(const std::vector<uint32_t>& failures) {
  std::string text;
  for (uint32_t bits : failures) text += "{" + rule_names(bits) + "} ";
  return text;
}

class BackendRules : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(BackendRules, TheSelectorDecidesAsTheEngineDoes) {
  const Table table = read_table(GetParam());
  for (const Case& c : table.cases) {
    const std::vector<uint32_t> failed = failures(c, table.backend);
    const auto count = [&](uint32_t bits) { return std::ranges::count(failed, bits); };
    if (c.accept) {
      EXPECT_GT(count(0), 0) << c.why << ": should be accepted: " << c.text
                             << "\n  kernels fail: " << describe(failed);
      continue;
    }
    EXPECT_EQ(count(0), 0) << c.why << ": should be refused: " << c.text;
    // The nearest kernel says exactly what stands in the way; others may fail more.
    EXPECT_GT(count(c.rules), 0) << c.why << ": " << c.text << "\n  no kernel fails exactly {"
                                 << rule_names(c.rules) << "} but " << describe(failed);
  }
}

TEST_P(BackendRules, ForcingTheBackendDecidesTheSame) {
  const Table table = read_table(GetParam());
  Policy policy;
  policy.require = table.backend;
  for (const Case& c : table.cases) {
    const bool chosen = std::ranges::any_of(c.formats, [&](Format format) {
      Request request = c.request;
      request.kv = format;
      return select(request, todays_backends(), policy).chosen.has_value();
    });
    EXPECT_EQ(chosen, c.accept) << c.why << ": " << c.text;
  }
}

INSTANTIATE_TEST_SUITE_P(Todays, BackendRules, testing::ValuesIn(yaml_files("rules")),
                         [](const auto& tested) { return tested.param.stem().string(); });

TEST(BackendRulesTable, HasBothKindsOfCaseForEveryManifest) {
  size_t total = 0;
  for (const auto& file : yaml_files("manifests")) {
    const Table table = read_table(data_dir() / "rules" / file.filename());
    EXPECT_EQ(table.backend, file.stem().string());
    const auto accepted = std::ranges::count_if(table.cases, &Case::accept);
    EXPECT_GT(accepted, 0) << table.backend;
    EXPECT_LT(accepted, std::ssize(table.cases)) << table.backend;
    total += table.cases.size();
  }
  EXPECT_EQ(yaml_files("manifests").size(), yaml_files("rules").size());
  RecordProperty("cases", static_cast<int>(total));
  EXPECT_GT(total, 20000U) << "a table that lost its rows would pass everything";
}

}  // namespace
}  // namespace attnrt::rules
