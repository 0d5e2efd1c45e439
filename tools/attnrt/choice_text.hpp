// Why a kernel was chosen before the others that would serve, too.
#pragma once

#include <string>

#include "attnrt/choice.hpp"
#include "attnrt/json.hpp"

namespace attnrt::command {

// "the measured profile p.json: 0.42 ms; cpu attend 1.3 ms"
std::string choice_text(const Choice& choice, const Decision& decision, const Catalog& catalog,
                        const Policy& policy);
// {"by": "profile", "text": …, "profile": "p.json", "ms": 0.42, "next": {plugin, kernel, ms}}
Json choice_json(const Choice& choice, const Decision& decision, const Catalog& catalog,
                 const Policy& policy);

}  // namespace attnrt::command
