// Why the chosen kernel was preferred: the first key in which it differs from the runner-up, but a
// measurement speaks before scores wherever it has compared the chosen kernel with another one.
#include "attnrt/choice.hpp"

#include <array>

#include "select/matcher.hpp"

namespace attnrt {
namespace {

constexpr std::array<std::string_view, 6> kNames{"only_one", "policy", "profile",
                                                 "score",    "name",   "order"};

using Preference = Matcher::Preference;

// The best accepted candidate but the chosen one, of those that `counts` takes.
template <class Counts>
std::optional<uint32_t> runner_up(const Decision& decision, const Matcher& matcher,
                                  Counts&& counts) {
  std::optional<uint32_t> best;
  const std::vector<KernelRow>& rows = matcher.compiled().rows;
  for (uint32_t i = 0; i < decision.candidates.size(); ++i) {
    if (i == *decision.chosen || !decision.candidates[i].accepted() || !counts(rows[i])) continue;
    if (!best || matcher.preference(rows[i]) < matcher.preference(rows[*best])) best = i;
  }
  return best;
}

ChoiceReason first_difference(const Preference& chosen, const Preference& next) {
  if (chosen.policy_rank != next.policy_rank) return ChoiceReason::kPolicy;
  if (chosen.negative_score != next.negative_score) return ChoiceReason::kScore;
  if (chosen.measured_rank != next.measured_rank) return ChoiceReason::kProfile;
  return chosen.name_rank != next.name_rank ? ChoiceReason::kName : ChoiceReason::kOrder;
}

}  // namespace

std::string_view name(ChoiceReason reason) {
  const auto index = static_cast<size_t>(reason);
  return index < kNames.size() ? kNames[index] : "?";
}

Choice explain_choice(const Decision& decision, const Request& request, const Catalog& catalog,
                      const Policy& policy) {
  const Matcher matcher(normalised(request), catalog, policy);
  const std::vector<KernelRow>& rows = matcher.compiled().rows;
  const KernelRow& chosen = rows[*decision.chosen];
  const Preference mine = matcher.preference(chosen);
  Choice choice;
  choice.next = runner_up(decision, matcher, [](const KernelRow&) { return true; });
  if (!choice.next) return choice;
  choice.by = first_difference(mine, matcher.preference(rows[*choice.next]));
  if (choice.by == ChoiceReason::kPolicy || mine.measured_rank == kUnmeasured) return choice;
  const auto measured = runner_up(decision, matcher, [&](const KernelRow& row) {
    const Preference p = matcher.preference(row);
    return p.policy_rank == mine.policy_rank && p.measured_rank != kUnmeasured;
  });
  if (!measured) return choice;
  choice.by = ChoiceReason::kProfile;
  choice.next = measured;
  choice.ms = matcher.measured_ms(chosen);
  choice.next_ms = matcher.measured_ms(rows[*measured]);
  return choice;
}

}  // namespace attnrt
