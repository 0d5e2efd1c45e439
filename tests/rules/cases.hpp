// The accept and reject rules of today's backends as a table: tests/data/rules/<backend>.yaml.
//
// A row is a base request with some values replaced; a list of values stands for one request each,
// and lists multiply; "not a b" is all values but those (kv, features, CUDA devices). Rows are
// written from the engines' rules, never from the manifests, so that a manifest and its table can
// disagree.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "attnrt/select.hpp"

namespace attnrt::rules {

struct Setting {
  std::string key;
  std::string value;
};

struct Case {
  std::string why;
  std::vector<Setting> settings;  // as written, base and row together
  std::string text;               // the request as written, for messages
  Request request;                // kv is the first of `formats`
  std::vector<Format> formats;    // what the spelling of kv stands for
  bool accept = true;
  uint32_t rules = 0;  // refused: bits of Rule that the nearest kernel fails, exactly
};

struct Table {
  std::string backend;
  std::vector<Case> cases;
};

// Throws std::runtime_error with file and line for what it does not understand.
Table read_table(const std::filesystem::path& file);

// Request and formats of the settings, starting from attnrt's own defaults; kv is resolved.
void apply_settings(const std::vector<Setting>& settings, Case& c);

std::string rule_names(uint32_t bits);

}  // namespace attnrt::rules
