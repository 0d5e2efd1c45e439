// Why a kernel was chosen before the others that would serve a request, too. Pure, like selection.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "attnrt/select.hpp"

namespace attnrt {

// Why the chosen kernel comes before the others that would serve, too.
enum class ChoiceReason : uint8_t { kOnlyOne, kPolicy, kProfile, kScore, kName, kOrder };
std::string_view name(ChoiceReason reason);
struct Choice {
  ChoiceReason by = ChoiceReason::kOnlyOne;
  std::optional<uint32_t> next;  // index in candidates: what it was preferred to; empty: none
  double ms = 0;                 // kProfile: measured, of the chosen one and of `next`
  double next_ms = 0;
};
// Precondition: something was chosen, for this request.
Choice explain_choice(const Decision& decision, const Request& request, const Catalog& catalog,
                      const Policy& policy = {});

}  // namespace attnrt
