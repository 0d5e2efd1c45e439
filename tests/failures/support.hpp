// What the tests of failures share: requests in words, catalogs of some of today's backends, and
// the two questions asked of every refusal.
#pragma once

#include <string>
#include <vector>

#include "attnrt/load.hpp"
#include "attnrt/select.hpp"

namespace attnrt::failures {

// "device=cuda:sm_90 kv=nvfp4 head_dim=64": one request for each format that kv stands for.
std::vector<Request> ask(const std::string& words);
// Bare manifests of tests/data/manifests; none named: all of them.
Catalog todays(const std::vector<std::string>& names = {});

// Is there a kernel for one of them?
bool accepted(const std::vector<Request>& requests, const Catalog& catalog);
// Refused, and the nearest kernel fails this rule alone, and says what was asked and allowed.
void expect_refused_for(Rule rule, const std::vector<Request>& requests, const Catalog& catalog);
// Every alternative, asked for anew, gets the kernel that it names and keeps the model's facts.
// Returns them.
std::vector<Alternative> expect_alternatives_work(const Request& request, const Catalog& catalog);
// The value that an alternative gives to a key; empty: it leaves that key alone.
std::string changed(const Alternative& alternative, const std::string& key);

// Plugins of this build that compute: reference, cpu, or those of them that are there.
std::vector<std::string> numeric_plugins();
const PluginRegistry& built_plugins();

}  // namespace attnrt::failures
