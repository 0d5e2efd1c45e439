#include "tests/failures/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "tests/rules/cases.hpp"
#include "tests/rules/catalog.hpp"

namespace attnrt::failures {
namespace {

// Facts of the model, which no alternative may touch.
void expect_same_facts(const Request& a, const Request& b) {
  EXPECT_EQ(a.head_dim, b.head_dim);
  EXPECT_EQ(a.q_heads, b.q_heads);
  EXPECT_EQ(a.kv_heads, b.kv_heads);
  EXPECT_EQ(a.cache, b.cache);
  EXPECT_EQ(a.op, b.op);
  constexpr Features kGuarantees{Feature::kBatchInvariant, Feature::kGraph, Feature::kDeviceLengths,
                                 Feature::kLse};
  EXPECT_EQ(a.features.minus(kGuarantees), b.features.minus(kGuarantees));
}

}  // namespace

std::vector<Request> ask(const std::string& words) {
  std::vector<rules::Setting> settings;
  std::istringstream in(words);
  for (std::string word; in >> word;) {
    const size_t at = word.find('=');
    settings.push_back({word.substr(0, at), word.substr(at + 1)});
  }
  rules::Case c;
  rules::apply_settings(settings, c);
  std::vector<Request> requests;
  for (Format format : c.formats) {
    requests.push_back(c.request);
    requests.back().kv = format;
  }
  return requests;
}

Catalog todays(const std::vector<std::string>& names) {
  std::vector<CatalogEntry> entries;
  for (const CatalogEntry& entry : rules::todays_backends().entries()) {
    const bool wanted =
        names.empty() || std::ranges::find(names, entry.manifest.name) != names.end();
    if (wanted) entries.push_back(entry);
  }
  EXPECT_TRUE(names.empty() || entries.size() == names.size());
  return Catalog(std::move(entries));
}

bool accepted(const std::vector<Request>& requests, const Catalog& catalog) {
  return std::ranges::any_of(
      requests, [&](const Request& r) { return select(r, catalog).chosen.has_value(); });
}

void expect_refused_for(Rule rule, const std::vector<Request>& requests, const Catalog& catalog) {
  EXPECT_FALSE(accepted(requests, catalog));
  const uint32_t only = uint32_t{1} << static_cast<unsigned>(rule);
  for (const Request& request : requests) {
    for (const Candidate& candidate : select(request, catalog).candidates) {
      if (candidate.failed != only) continue;
      const std::vector<FailedRule> reasons = explain(candidate, request, catalog);
      ASSERT_EQ(reasons.size(), 1U);
      EXPECT_EQ(reasons[0].rule, rule);
      EXPECT_FALSE(reasons[0].asked.empty());
      EXPECT_FALSE(reasons[0].allowed.empty());
      return;
    }
  }
  ADD_FAILURE() << "no kernel is refused for " << name(rule) << " alone";
}

std::vector<Alternative> expect_alternatives_work(const Request& request, const Catalog& catalog) {
  std::vector<Alternative> all = alternatives(request, catalog);
  EXPECT_FALSE(all.empty()) << "the refusal names no way out";
  EXPECT_LE(all.size(), 8U);
  for (const Alternative& alternative : all) {
    EXPECT_FALSE(alternative.change.empty());
    const Decision decision = select(alternative.request, catalog);
    if (!decision.chosen) {
      ADD_FAILURE() << "an alternative that is refused itself";
      continue;
    }
    const Candidate& candidate = decision.candidates[*decision.chosen];
    EXPECT_EQ(candidate.plugin, alternative.plugin);
    EXPECT_EQ(candidate.kernel, alternative.kernel);
    // Formats known by name only have no bytes to state.
    const bool sized = info(alternative.request.kv).byte_layout_known;
    EXPECT_EQ(alternative.kv_bytes_per_token > 0, sized);
    expect_same_facts(alternative.request, request);
  }
  return all;
}

std::string changed(const Alternative& alternative, const std::string& key) {
  for (const auto& [name, value] : alternative.change) {
    if (name == key) return value;
  }
  return {};
}

std::vector<std::string> numeric_plugins() {
  std::vector<std::string> names;
  std::istringstream in(ATTNRT_NUMERIC_PLUGINS);
  for (std::string name; std::getline(in, name, ',');) names.push_back(name);
  return names;
}

const PluginRegistry& built_plugins() {
  static const PluginRegistry registry =
      PluginRegistry::scan({.path = {ATTNRT_BINARY_DIR "/plugins"}, .manifests = {}});
  return registry;
}

}  // namespace attnrt::failures
