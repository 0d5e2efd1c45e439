#include "tests/rules/cases.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <stdexcept>
#include <tuple>

namespace attnrt::rules {
namespace {

// A machine that the tests don't run on: the table is the same everywhere.
const HostFacts kHost{.cpu_features = {"avx2", "fma"}, .cuda_sms = {}};
constexpr const char* kOps[] = {"append", "decode", "prefill", "mixed"};

template <class T>
T unwrap(Result<T> result) {
  if (!result) throw std::runtime_error(to_string(result.error()));
  return std::move(result).value();
}

std::pair<int32_t, int32_t> two_ints(const std::string& text, char separator) {
  const size_t at = text.find(separator);
  const int32_t first = std::stoi(text.substr(0, at));
  return {first, at == std::string::npos ? first : std::stoi(text.substr(at + 1))};
}

Features parse_features(const std::string& text) {
  Features features;
  std::istringstream words(text);
  for (std::string word; words >> word;) features.insert(unwrap(parse_feature(word)));
  constexpr Features kMasks{Feature::kCausal, Feature::kNonCausal, Feature::kCross,
                            Feature::kTreeMask, Feature::kPrefixLm};
  if (kMasks.minus(features) == kMasks) features.insert(Feature::kCausal);
  return features;
}

void apply_one(const Setting& s, Case& c, std::string& kv) {
  Request& r = c.request;
  if (s.key == "device") {
    r.device = unwrap(parse_device(s.value, kHost));
  } else if (s.key == "op") {
    r.op = unwrap(parse_op(s.value));
  } else if (s.key == "query_tokens") {
    r.query_tokens = std::stoi(s.value);
  } else if (s.key == "q") {
    r.q = unwrap(parse_dtype(s.value));
  } else if (s.key == "kv") {
    kv = s.value;
  } else if (s.key == "cache") {
    r.cache = unwrap(parse_cache_kind(s.value));
  } else if (s.key == "head_dim") {
    std::tie(r.head_dim.qk, r.head_dim.v) = two_ints(s.value, ',');
  } else if (s.key == "block") {
    r.block_size = std::stoi(s.value);
  } else if (s.key == "layout") {
    r.layout = unwrap(parse_layout(s.value));
  } else if (s.key == "heads") {
    std::tie(r.q_heads, r.kv_heads) = two_ints(s.value, '/');
  } else if (s.key == "features") {
    r.features = parse_features(s.value);
  } else {
    throw std::runtime_error("unknown key '" + s.key + "'");
  }
}

// What "not a b" leaves over: all of the key's values but a and b.
std::vector<std::string> all_values(const std::string& key) {
  std::vector<std::string> all;
  if (key == "kv") {
    for (const FormatInfo& f : all_formats()) all.emplace_back(f.name);
  } else if (key == "features") {
    for (int i = 0; i < kFeatureCount; ++i) {
      const Feature feature = static_cast<Feature>(i);
      // sparse is reserved: the core refuses it whoever lists it.
      if (feature != Feature::kSparse) all.emplace_back(name(feature));
    }
  } else if (key == "device") {
    for (int32_t sm : known_sms()) all.push_back("sm_" + std::to_string(sm));
  } else {
    throw std::runtime_error("'not' has no meaning for " + key);
  }
  return all;
}

std::vector<std::string> all_but(const std::string& key, const std::string& words) {
  std::vector<std::string> rest = all_values(key);
  std::istringstream in(words);
  for (std::string word; in >> word;) {
    if (word == name(Feature::kSparse)) continue;
    if (std::erase(rest, word) != 1) throw std::runtime_error("no " + key + " named " + word);
  }
  if (key == "device") {
    for (std::string& value : rest) value = "cuda:" + value;
  }
  return rest;
}

// Values by key; a list of several is one dimension of the product.
using Values = std::map<std::string, std::vector<std::string>>;

void read_values(const YAML::Node& map, Values& values) {
  for (const auto& pair : map) {
    const std::string key = pair.first.as<std::string>();
    if (key == "why" || key == "rules") continue;
    std::vector<std::string> list;
    if (pair.second.IsSequence()) {
      list = pair.second.as<std::vector<std::string>>();
    } else {
      const std::string text = pair.second.as<std::string>();
      list = text.starts_with("not ") ? all_but(key, text.substr(4)) : std::vector{text};
    }
    values[key] = list;
  }
}

uint32_t parse_rules(const YAML::Node& list) {
  uint32_t bits = 0;
  for (const std::string& word : list.as<std::vector<std::string>>()) {
    bool known = false;
    for (uint32_t i = 0; i <= static_cast<uint32_t>(Rule::kUnknownKeys); ++i) {
      if (name(static_cast<Rule>(i)) == word) {
        bits |= uint32_t{1} << i;
        known = true;
      }
    }
    if (!known) throw std::runtime_error("unknown rule '" + word + "'");
  }
  return bits;
}

// Every request of the product of all lists.
std::vector<std::vector<Setting>> expand(const Values& values) {
  std::vector<std::vector<Setting>> all{{}};
  for (const auto& [key, list] : values) {
    std::vector<std::vector<Setting>> longer;
    for (const std::string& value : list) {
      for (std::vector<Setting> settings : all) {
        settings.push_back({key, value});
        longer.push_back(std::move(settings));
      }
    }
    all = std::move(longer);
  }
  return all;
}

Case make_case(const std::vector<Setting>& settings, const std::string& why) {
  Case c;
  c.why = why;
  c.settings = settings;
  for (const Setting& s : settings) c.text += s.key + "=" + s.value + " ";
  apply_settings(settings, c);
  return c;
}

void read_row(const YAML::Node& row, const YAML::Node& base, bool accept, Table& table) {
  Values values;
  read_values(base, values);
  read_values(row, values);
  const uint32_t rules = accept ? 0 : parse_rules(row["rules"]);
  // Rules on what attention computes do not bear on storing keys and values.
  constexpr uint32_t kNotOfAppend = (uint32_t{1} << static_cast<unsigned>(Rule::kFeatures)) |
                                    (uint32_t{1} << static_cast<unsigned>(Rule::kGroup));
  if (values.count("op") == 0) {
    const bool append = (rules & kNotOfAppend) == 0;
    values["op"] = std::vector<std::string>(std::begin(kOps) + (append ? 0 : 1), std::end(kOps));
  }
  for (const std::vector<Setting>& settings : expand(values)) {
    Case c = make_case(settings, row["why"].as<std::string>());
    c.accept = accept;
    c.rules = rules;
    table.cases.push_back(std::move(c));
  }
}

}  // namespace

void apply_settings(const std::vector<Setting>& settings, Case& c) {
  std::string kv = "auto";
  for (const Setting& s : settings) apply_one(s, c, kv);
  const SpellingContext context{.model_dtype = c.request.q,
                                .cache = c.request.cache,
                                .head_dim = c.request.head_dim,
                                .gfx = c.request.device.gfx};
  c.formats = unwrap(resolve(unwrap(parse_spelling(kv)), context));
  c.request.kv = c.formats.front();
}

Table read_table(const std::filesystem::path& file) {
  const YAML::Node root = YAML::LoadFile(file.string());
  Table table{.backend = root["backend"].as<std::string>(), .cases = {}};
  for (const char* list : {"accept", "refuse"}) {
    for (const YAML::Node& row : root[list]) {
      try {
        read_row(row, root["base"], std::string_view(list) == "accept", table);
      } catch (const std::exception& e) {
        throw std::runtime_error(file.string() + ":" + std::to_string(row.Mark().line + 1) + ": " +
                                 e.what());
      }
    }
  }
  return table;
}

std::string rule_names(uint32_t bits) {
  std::string text;
  for (uint32_t i = 0; i <= static_cast<uint32_t>(Rule::kUnknownKeys); ++i) {
    if ((bits >> i) & 1)
      text += (text.empty() ? "" : " ") + std::string(name(static_cast<Rule>(i)));
  }
  return text;
}

}  // namespace attnrt::rules
