// The plan of a run, or why there is none, in one error.
#include <algorithm>
#include <bit>
#include <string>

#include "attnrt/run.hpp"

namespace attnrt {
namespace {

constexpr size_t kCandidatesNamed = 3;
constexpr size_t kAlternativesNamed = 3;

std::string reasons(const Refusal& refusal, const Catalog& catalog, const Policy& policy) {
  std::vector<Candidate> nearest = refusal.candidates;
  std::stable_sort(nearest.begin(), nearest.end(), [](const Candidate& a, const Candidate& b) {
    return std::popcount(a.failed) < std::popcount(b.failed);
  });
  nearest.resize(std::min(nearest.size(), kCandidatesNamed));
  std::string text;
  for (const Candidate& c : nearest) {
    const Manifest& manifest = catalog.entries()[c.plugin].manifest;
    text +=
        (text.empty() ? "" : "; ") + manifest.name + "/" + manifest.kernels[c.kernel].name + ":";
    for (const FailedRule& f : explain(c, refusal.request, catalog, policy)) {
      text += " " + std::string(name(f.rule)) + " " + f.asked;
    }
  }
  return text.empty() ? "no plugin was found" : "none fits (" + text + ")";
}

std::string ways_out(const Refusal& refusal) {
  std::string text;
  for (size_t i = 0; i < std::min(refusal.alternatives.size(), kAlternativesNamed); ++i) {
    text += text.empty() ? "works: " : ", or ";
    for (size_t j = 0; j < refusal.alternatives[i].change.size(); ++j) {
      const auto& [key, value] = refusal.alternatives[i].change[j];
      text += (j == 0 ? "" : " with ") + key + " " + value;
    }
  }
  if (refusal.skipping) {
    text += (text.empty() ? "works: " : ", or ") + std::string("skip_layers with ") +
            std::to_string(refusal.skipping->layers.size()) + " layers (see attnrt plan)";
  }
  return text.empty() ? "add a plugin that serves it" : text;
}

}  // namespace

Result<Plan> plan_run(const RunConfig& config, const Catalog& catalog) {
  if (Status named = check_plugin_names(config, catalog); !named) return named.error();
  const PlanOptions options = config.plan_options();
  Result<PlanOutcome> outcome = plan(config.model, config.device, options, catalog);
  if (!outcome) return outcome.error();
  if (outcome->plan) return std::move(*outcome->plan);
  const Refusal& first = outcome->refusals.front();
  std::string where = "layer " + std::to_string(first.layer);
  if (!first.also_layers.empty()) {
    where += " (and " + std::to_string(first.also_layers.size()) + " more)";
  }
  where += ", " + std::string(name(first.op));
  return Error{
      ErrorCode::kNoBackend, where,
      "a backend for kv " + std::string(name(first.request.kv)) + " on " + to_string(config.device),
      reasons(first, catalog, options.policy), ways_out(first)};
}

}  // namespace attnrt
