// Every refusal of the table that names ways out names ways out that work, whatever was asked.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/rules/cases.hpp"
#include "tests/rules/catalog.hpp"

namespace attnrt::rules {
namespace {

// What a request may give up: guarantees and outputs, never facts of the model.
constexpr Features kGuarantees{Feature::kBatchInvariant, Feature::kGraph, Feature::kDeviceLengths,
                               Feature::kLse};

bool same_facts(const Request& a, const Request& b) {
  return a.head_dim == b.head_dim && a.q_heads == b.q_heads && a.kv_heads == b.kv_heads &&
         a.cache == b.cache && a.op == b.op && a.q == b.q && a.query_tokens == b.query_tokens &&
         a.features.contains_all(b.features) &&
         kGuarantees.contains_all(a.features.minus(b.features));
}

// The keys that differ between two requests, as an alternative names them.
std::set<std::string> changed_keys(const Request& a, const Request& b) {
  std::set<std::string> keys;
  if (a.kv != b.kv) keys.insert("kv");
  if (a.layout != b.layout) keys.insert("layout");
  if (a.block_size != b.block_size) keys.insert("block_size");
  if (!(a.device == b.device)) keys.insert("device");
  if (!(a.features == b.features)) keys.insert("features");
  return keys;
}

// The request with the new values written where its old ones stood, and read anew: a spelling may
// mean another format on another device.
Case put_back(const Case& c, const Alternative& way) {
  Case changed;
  changed.settings = c.settings;
  for (const auto& [key, value] : way.change) {
    std::string text = value;
    if (key == "features") std::ranges::replace(text, ',', ' ');
    changed.settings.push_back({key == "block_size" ? "block" : key, text});
  }
  apply_settings(changed.settings, changed);
  return changed;
}

void expect_works(const Case& c, const Alternative& way, const Policy& policy) {
  const Decision decision = select(way.request, todays_backends(), policy);
  ASSERT_TRUE(decision.chosen.has_value()) << c.text;
  EXPECT_EQ(decision.candidates[*decision.chosen].plugin, way.plugin) << c.text;
  EXPECT_EQ(decision.candidates[*decision.chosen].kernel, way.kernel) << c.text;
  const Case again = put_back(c, way);
  const Decision anew = select(again.request, again.formats, todays_backends(), policy).decision;
  ASSERT_TRUE(anew.chosen.has_value()) << c.text << " put back";
  EXPECT_EQ(anew.candidates[*anew.chosen].plugin, way.plugin) << c.text << " put back";
  EXPECT_EQ(anew.candidates[*anew.chosen].kernel, way.kernel) << c.text << " put back";
  Request asked = normalised(c.request);
  EXPECT_TRUE(same_facts(asked, way.request)) << c.text;
  // Formats known by name only have no bytes to state.
  EXPECT_EQ(way.kv_bytes_per_token > 0, info(way.request.kv).byte_layout_known) << c.text;
  // The texts say what changed, no more and no less.
  std::set<std::string> named;
  for (const auto& [key, value] : way.change) {
    EXPECT_TRUE(named.insert(key).second) << c.text << key;
    EXPECT_FALSE(value.empty()) << c.text << key;
  }
  std::set<std::string> changed;
  for (Format format : c.formats) {
    asked.kv = format;
    if (changed.empty() || changed_keys(asked, way.request).size() < changed.size()) {
      changed = changed_keys(asked, way.request);
    }
  }
  EXPECT_EQ(named, changed) << c.text;
}

// `one in` of the refused cases, each asked of the backend that refuses it and of all.
TEST(Alternatives, OfEveryRefusalWork) {
  constexpr size_t kOneIn = 3;
  size_t refusals = 0, ways = 0, seen = 0;
  for (const auto& file : yaml_files("rules")) {
    const Table table = read_table(file);
    Policy forced;
    forced.require = table.backend;
    for (const Case& c : table.cases) {
      if (c.accept || seen++ % kOneIn != 0) continue;
      for (const Policy& policy : {forced, Policy{}}) {
        const auto all = alternatives(c.request, c.formats, todays_backends(), policy);
        EXPECT_LE(all.size(), 8U) << c.text;
        size_t keys = 1;
        for (const Alternative& way : all) {
          EXPECT_GE(way.change.size(), keys) << "fewest keys first: " << c.text;
          keys = way.change.size();
          expect_works(c, way, policy);
        }
        const auto decision = select(c.request, c.formats, todays_backends(), policy).decision;
        EXPECT_TRUE(!decision.chosen || all.empty()) << "nothing was refused: " << c.text;
        refusals += decision.chosen ? 0U : 1U;
        ways += all.size();
      }
    }
  }
  EXPECT_GT(refusals, 1000U);
  EXPECT_GT(ways, refusals) << "most refusals have several ways out";
}

// A box away from the request there is always a way, if only keys that may change stand between.
TEST(Alternatives, AreNamedWhereverOneKeyStandsInTheWay) {
  constexpr uint32_t kChangeable =
      (1U << static_cast<unsigned>(Rule::kKv)) | (1U << static_cast<unsigned>(Rule::kBlockSize)) |
      (1U << static_cast<unsigned>(Rule::kSm)) | (1U << static_cast<unsigned>(Rule::kGfx)) |
      (1U << static_cast<unsigned>(Rule::kDevice));
  size_t checked = 0;
  for (const auto& file : yaml_files("rules")) {
    const Table table = read_table(file);
    Policy forced;
    forced.require = table.backend;
    for (const Case& c : table.cases) {
      if (c.accept || (c.rules & ~kChangeable) != 0 || c.request.op != Op::kDecode) continue;
      EXPECT_FALSE(alternatives(c.request, c.formats, todays_backends(), forced).empty())
          << c.why << ": " << c.text;
      ++checked;
    }
  }
  EXPECT_GT(checked, 500U);
}

}  // namespace
}  // namespace attnrt::rules
