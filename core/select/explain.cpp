// Failed rules in words: what was asked, and what is allowed.
#include <algorithm>
#include <array>

#include "manifest/sets.hpp"
#include "select/matcher.hpp"
#include "select/words.hpp"

namespace attnrt {
namespace {

constexpr std::array<std::string_view, kRuleCount> kNames{
    "device",  "sm",    "gfx",       "op",         "query_tokens", "q",      "out",
    "kv",      "cache", "head_dim",  "block_size", "layout",       "group",  "features",
    "tensors", "pages", "alignment", "needs",      "policy",       "plugin", "unknown_keys"};

template <class E>
std::vector<std::string> names(EnumSet<E> set) {
  std::vector<std::string> all;
  for (unsigned i = 0; i < 64; ++i) {
    if ((set.bits() >> i & 1) != 0) all.emplace_back(name(static_cast<E>(i)));
  }
  return all;
}

std::string missing(const CatalogEntry& entry, const Device& device) {
  std::string text;
  const auto add = [&](const std::string& what) {
    text += (text.empty() ? "no " : ", no ") + what;
  };
  for (const std::string& need : entry.manifest.needs_cpu) {
    const std::vector<std::string>& has = device.cpu_features;
    const bool there = std::find(has.begin(), has.end(), need) != has.end();
    if (device.kind == DeviceKind::kCpu && !there) add(need);
  }
  if (device.ordinal < 0) return text;
  for (const std::string& library : entry.missing_libraries) add(library);
  return text;
}

std::vector<std::string> all_needs(const CatalogEntry& entry) {
  std::vector<std::string> needs = entry.manifest.needs_cpu;
  const std::vector<std::string>& libraries = entry.manifest.needs_libraries;
  needs.insert(needs.end(), libraries.begin(), libraries.end());
  for (const std::string& library : entry.missing_libraries) {
    if (std::find(needs.begin(), needs.end(), library) == needs.end()) needs.push_back(library);
  }
  return needs;
}

FailedRule explain_features(const KernelManifest& k, Features asked) {
  constexpr Features kReserved{Feature::kSparse};
  FailedRule rule{Rule::kFeatures, "", names(k.features)};
  if (asked.contains(Feature::kSparse)) {
    rule.asked = "sparse (reserved: this version defines no parameters for it)";
  }
  const std::string unlisted = to_string(asked.minus(k.features).minus(kReserved));
  if (!unlisted.empty()) rule.asked = rule.asked.empty() ? unlisted : unlisted + "," + rule.asked;
  return rule;
}

FailedRule explain_policy(const std::string& plugin, const Policy& policy) {
  const bool denied =
      std::find(policy.deny.begin(), policy.deny.end(), plugin) != policy.deny.end();
  FailedRule rule{Rule::kPolicy, plugin + (denied ? ", which is denied" : ""), {}};
  if (!policy.require.empty()) rule.allowed.push_back(policy.require);
  return rule;
}

FailedRule explain_plugin(const CatalogEntry& entry) {
  if (!entry.has_code) {
    return {Rule::kPlugin, "a plugin that can run", {"planning only: a bare manifest"}};
  }
  return {Rule::kPlugin, "abi 1", {"abi " + std::to_string(entry.manifest.abi)}};
}

std::string asked_format(const Request& r, const KernelManifest& k) {
  std::string text(name(r.kv));
  if (!format_exists(r.kv, r.cache, r.head_dim)) {
    return text + ", which does not exist for a " + std::string(name(r.cache)) +
           " cache of head size " + to_string(r.head_dim);
  }
  const int64_t rows = page_row_alignment(r);
  if (!k.kv.contains(r.kv) || rows >= k.alignment) return text;
  return text + ", whose packed rows begin at multiples of " + std::to_string(rows) +
         " bytes, not of " + std::to_string(k.alignment);
}

std::string asked_alignment(const Request& r) {
  const int32_t rows = tensor_row_alignment(r);
  const std::string text = std::to_string(std::min(r.alignment, rows));
  return rows >= r.alignment ? text
                             : text + ", that of packed rows of head size " + to_string(r.head_dim);
}

std::vector<std::string> as_texts(const std::vector<int32_t>& values) {
  std::vector<std::string> texts;
  for (int32_t v : values) texts.push_back(std::to_string(v));
  return texts;
}

FailedRule explain_rule(Rule rule, const Request& r, const CatalogEntry& entry,
                        const KernelManifest& k, const Policy& policy) {
  switch (rule) {
    case Rule::kDevice:
      if (!k.device) return {rule, std::string(name(r.device.kind)), {"a later version's"}};
      return {rule, std::string(name(r.device.kind)), {std::string(name(*k.device))}};
    case Rule::kSm:
      return {rule, std::to_string(r.device.sm), as_texts(k.sm)};
    case Rule::kGfx:
      return {rule, r.device.gfx, k.gfx};
    case Rule::kOp:
      return {rule, std::string(name(r.op)), names(k.ops)};
    case Rule::kQueryTokens:
      return {rule, std::to_string(r.query_tokens), {"1 to " + std::to_string(k.max_query_tokens)}};
    case Rule::kQ:
      return {rule, std::string(name(r.q)), names(k.q)};
    case Rule::kOut: {
      const DType asked = r.out.value_or(r.q);
      return {rule, std::string(name(asked)),
              k.out.empty() ? std::vector<std::string>{std::string(name(r.q))} : names(k.out)};
    }
    case Rule::kKv:
      return {rule, asked_format(r, k), names(k.kv)};
    case Rule::kCache:
      return {rule, std::string(name(r.cache)), names(k.cache)};
    case Rule::kHeadDim:
      return {rule, to_string(r.head_dim), to_strings(k.head_dim)};
    case Rule::kBlockSize:
      return {rule, std::to_string(r.block_size), to_strings(k.block_size)};
    case Rule::kLayout:
      return {rule, std::string(name(r.layout)), names(k.layout)};
    case Rule::kGroup:
      return {rule, std::to_string(r.kv_heads > 0 ? r.q_heads / r.kv_heads : 0),
              to_strings(k.group)};
    case Rule::kFeatures:
      return explain_features(k, r.features);
    case Rule::kTensors:
      return {rule, std::string(name(r.tensors)), names(k.tensors)};
    case Rule::kPages:
      return {rule, std::string(name(r.pages)), names(k.pages)};
    case Rule::kAlignment:
      return {rule, asked_alignment(r), {std::to_string(k.alignment)}};
    case Rule::kNeeds:
      return {rule, missing(entry, r.device), all_needs(entry)};
    case Rule::kPolicy:
      return explain_policy(entry.manifest.name, policy);
    case Rule::kPlugin:
      return explain_plugin(entry);
    case Rule::kUnknownKeys: {
      std::string keys;
      for (const std::string& key : k.unknown_keys) keys += (keys.empty() ? "" : ", ") + key;
      return {rule, "keys that this version knows", {keys}};
    }
  }
  return {rule, "", {}};
}

}  // namespace

std::string_view name(Rule rule) {
  const auto index = static_cast<size_t>(rule);
  return index < kNames.size() ? kNames[index] : "?";
}

std::vector<FailedRule> explain(const Candidate& candidate, const Request& request,
                                const Catalog& catalog, const Policy& policy) {
  std::vector<FailedRule> rules;
  const Request r = normalised(request);
  const CatalogEntry& entry = catalog.entries()[candidate.plugin];
  const KernelManifest& kernel = entry.manifest.kernels[candidate.kernel];
  for (int i = 0; i < kRuleCount; ++i) {
    const auto rule = static_cast<Rule>(i);
    if ((candidate.failed & bit(rule)) == 0) continue;
    rules.push_back(explain_rule(rule, r, entry, kernel, policy));
  }
  return rules;
}

}  // namespace attnrt
