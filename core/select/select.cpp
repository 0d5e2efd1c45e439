#include "select/matcher.hpp"

namespace attnrt {
namespace {

struct Best {
  uint32_t candidate;
  Matcher::Preference preference;
};

void consider(std::optional<Best>& best, uint32_t candidate, const Matcher::Preference& p) {
  // Strictly better only: of equals the first in the catalog stays.
  if (!best || p < best->preference) best = Best{candidate, p};
}

std::optional<uint32_t> chosen(const std::optional<Best>& best) {
  if (!best) return std::nullopt;
  return best->candidate;
}

}  // namespace

Decision select(const Request& request, const Catalog& catalog, const Policy& policy) {
  const Matcher matcher(normalised(request), catalog, policy);
  const std::vector<KernelRow>& rows = catalog.compiled().rows;
  Decision decision;
  decision.candidates.reserve(rows.size());
  std::optional<Best> best;
  for (const KernelRow& row : rows) {
    const uint32_t failed = matcher.failed(row);
    if (failed == 0) {
      consider(best, static_cast<uint32_t>(decision.candidates.size()), matcher.preference(row));
    }
    decision.candidates.push_back({row.plugin, row.kernel, failed});
  }
  decision.chosen = chosen(best);
  return decision;
}

SpelledDecision select(const Request& request, std::span<const Format> kv, const Catalog& catalog,
                       const Policy& policy) {
  SpelledDecision first;
  for (size_t i = 0; i < kv.size(); ++i) {
    Request r = request;
    r.kv = kv[i];
    Decision decision = select(r, catalog, policy);
    if (decision.chosen) return {r, std::move(decision)};
    if (i == 0) {
      first = {r, std::move(decision)};
      continue;
    }
    // Only the rule kv depends on the format, so a rule fails for all exactly if in each.
    for (size_t c = 0; c < decision.candidates.size(); ++c) {
      first.decision.candidates[c].failed &= decision.candidates[c].failed;
    }
  }
  return first;
}

}  // namespace attnrt
