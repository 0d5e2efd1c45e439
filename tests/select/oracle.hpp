// The rules once more, read straight off the manifest: slow, plain, and independent of core/select.
#pragma once

#include <algorithm>
#include <set>
#include <string>

#include "attnrt/select.hpp"

namespace attnrt::test {

inline bool listed(const IntSet& set, int32_t v) {
  if (std::count(set.values.begin(), set.values.end(), v) > 0) return true;
  for (const IntRange& r : set.ranges) {
    for (int64_t x = r.multiple_of; x <= r.max; x += r.multiple_of) {
      if (x >= r.min && x == v) return true;
    }
  }
  return false;
}

inline bool listed(const HeadDimSet& set, HeadDim d) {
  if (std::count(set.pairs.begin(), set.pairs.end(), d) > 0) return true;
  return d.qk == d.v && listed(IntSet{{}, set.ranges}, d.qk);
}

// For requests that are normalised already; names of the rules that fail.
inline std::set<std::string> failed_rules(const Request& r, const CatalogEntry& entry,
                                          const KernelManifest& k, const Policy& policy) {
  std::set<std::string> failed;
  const auto rule = [&failed](const char* rule_name, bool holds) {
    if (!holds) failed.insert(rule_name);
  };
  const bool attend = r.op == Op::kPrefill || r.op == Op::kDecode || r.op == Op::kMixed;
  rule("device", k.device == r.device.kind);
  if (k.device == r.device.kind) {
    if (k.device == DeviceKind::kCuda || k.device == DeviceKind::kSimt) {
      rule("sm", std::count(k.sm.begin(), k.sm.end(), r.device.sm) > 0);
    }
    if (k.device == DeviceKind::kRocm) {
      rule("gfx", std::count(k.gfx.begin(), k.gfx.end(), r.device.gfx) > 0);
    }
  }
  rule("op", k.ops.contains(r.op));
  rule("query_tokens", r.op != Op::kDecode || r.query_tokens <= k.max_query_tokens);
  rule("q", k.q.contains(r.q));
  const DType out = r.out ? *r.out : r.q;
  if (r.op != Op::kAppend) rule("out", k.out.empty() ? out == r.q : k.out.contains(out));
  if (r.op != Op::kMerge) {
    const bool known = info(r.kv).byte_layout_known;
    const bool exists = !known || page_bytes({r.kv, r.cache, r.head_dim, 1, 1}).ok();
    rule("kv", k.kv.contains(r.kv) && exists);
    rule("cache", k.cache.contains(r.cache));
    rule("block_size", listed(k.block_size, r.block_size));
    rule("layout", k.layout.contains(r.layout));
  }
  rule("head_dim", listed(k.head_dim, r.head_dim));
  if (attend) rule("group", listed(k.group, r.q_heads / r.kv_heads));
  rule("features", k.features.contains_all(r.features) && !r.features.contains(Feature::kSparse));
  bool needs = r.device.ordinal < 0 || entry.missing_libraries.empty();
  if (r.device.kind == DeviceKind::kCpu) {
    for (const std::string& need : entry.manifest.needs_cpu) {
      const auto& has = r.device.cpu_features;
      needs = needs && std::count(has.begin(), has.end(), need) > 0;
    }
  }
  rule("needs", needs);
  const std::string& plugin = entry.manifest.name;
  rule("policy", (policy.require.empty() || policy.require == plugin) &&
                     std::count(policy.deny.begin(), policy.deny.end(), plugin) == 0);
  rule("plugin", entry.manifest.abi == 1);
  rule("unknown_keys", k.unknown_keys.empty());
  return failed;
}

}  // namespace attnrt::test
