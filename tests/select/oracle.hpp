// The rules once more, read straight off the manifest: slow, plain, and independent of core/select.
#pragma once

#include <algorithm>
#include <set>
#include <string>

#include "attnrt/cache.hpp"
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

// Whether each row of a packed page of a pool begins at a multiple of so many bytes.
inline bool rows_at(const Request& r, int32_t alignment) {
  if (r.pages != Strides::kPacked || !info(r.kv).byte_layout_known) return true;
  const int32_t heads = info(r.kv).latent_only ? 1 : r.kv_heads;
  const PageGeometry geometry{r.kv, r.cache, r.head_dim, heads, r.block_size};
  const auto page = page_layout(geometry, r.layout);
  if (!page.ok()) return true;
  const auto side_at = [&](const SideLayout& side) {
    for (int64_t token = 0; token <= std::min(1, r.block_size - 1); ++token) {
      for (int64_t head = 0; head <= std::min(1, r.kv_heads - 1); ++head) {
        const int64_t at = side.data_offset + token * side.token_stride + head * side.head_stride;
        if (at % alignment != 0) return false;
      }
    }
    return true;
  };
  return side_at(page->k) && (r.cache == CacheKind::kLatent || side_at(page->v));
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
    rule("kv", k.kv.contains(r.kv) && exists && rows_at(r, k.alignment));
    rule("pages", k.pages.contains(r.pages));
    rule("cache", k.cache.contains(r.cache));
    rule("block_size", listed(k.block_size, r.block_size));
    rule("layout", k.layout.contains(r.layout));
  }
  rule("head_dim", listed(k.head_dim, r.head_dim));
  if (attend) rule("group", listed(k.group, r.q_heads / r.kv_heads));
  rule("tensors", k.tensors.contains(r.tensors));
  bool aligned = r.alignment % k.alignment == 0;
  if (r.tensors == Strides::kPacked) {
    const int64_t element = element_bytes(r.q), of_out = element_bytes(out);
    const bool first_aligned =
        (element * (r.op == Op::kMerge ? r.head_dim.v : r.head_dim.qk)) % k.alignment == 0;
    const bool v_aligned = (element * r.head_dim.v) % k.alignment == 0;
    const bool stores_v = r.op == Op::kAppend && r.cache == CacheKind::kSeparate;
    const bool out_aligned = r.op == Op::kAppend || (of_out * r.head_dim.v) % k.alignment == 0;
    aligned = aligned && first_aligned && out_aligned && (!stores_v || v_aligned);
  }
  rule("alignment", aligned);
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
