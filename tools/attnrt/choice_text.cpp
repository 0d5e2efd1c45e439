#include "attnrt/choice_text.hpp"

#include "attnrt/profile.hpp"
#include "attnrt/text.hpp"
#include "attnrt/text_table.hpp"

namespace attnrt::command {
namespace {

const KernelManifest& kernel_of(uint32_t candidate, const Decision& decision,
                                const Catalog& catalog) {
  const Candidate& c = decision.candidates[candidate];
  return catalog.entries()[c.plugin].manifest.kernels[c.kernel];
}

std::string next_name(const Choice& choice, const Decision& decision, const Catalog& catalog) {
  const Candidate& next = decision.candidates[*choice.next];
  return kernel_text(next.plugin, next.kernel, catalog);
}

}  // namespace

std::string choice_text(const Choice& choice, const Decision& decision, const Catalog& catalog,
                        const Policy& policy) {
  if (!choice.next) return "no other kernel that is allowed serves this";
  const std::string next = next_name(choice, decision, catalog);
  switch (choice.by) {
    case ChoiceReason::kPolicy:
      return "the policy prefers it to " + next;
    case ChoiceReason::kProfile:
      return "the measured profile " + policy.profile->origin + ": " + number_text(choice.ms, 4) +
             " ms; " + next + " " + number_text(choice.next_ms, 4) + " ms";
    case ChoiceReason::kScore:
      return "its score, " + std::to_string(kernel_of(*decision.chosen, decision, catalog).score) +
             "; " + next + " " + std::to_string(kernel_of(*choice.next, decision, catalog).score);
    default:
      return "by name and order, its score being that of " + next;
  }
}

Json choice_json(const Choice& choice, const Decision& decision, const Catalog& catalog,
                 const Policy& policy) {
  Json json = {{"by", name(choice.by)}, {"text", choice_text(choice, decision, catalog, policy)}};
  if (choice.by == ChoiceReason::kProfile) {
    json["profile"] = policy.profile->origin;
    json["ms"] = choice.ms;
  }
  if (!choice.next) return json;
  const Candidate& next = decision.candidates[*choice.next];
  json["next"] = chosen_json(next.plugin, next.kernel, catalog);
  if (choice.by == ChoiceReason::kProfile) json["next"]["ms"] = choice.next_ms;
  return json;
}

}  // namespace attnrt::command
