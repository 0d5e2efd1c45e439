// A refusal inside core/load: the kind that tests and callers ask for, and the text for people.
#pragma once

#include <string>
#include <utility>

#include "attnrt/load.hpp"
#include "attnrt/result.hpp"

namespace attnrt::load {

struct Refusal {
  RefusalKind kind;
  Error error;  // `where` is filled in by whoever knows the file
};

template <class T>
using Checked = Result<T, Refusal>;
using Check = Checked<Done>;

inline Refusal refuse(RefusalKind kind, std::string expected, std::string found,
                      std::string remedy) {
  return {kind, Error{ErrorCode::kPluginRefused, "", std::move(expected), std::move(found),
                      std::move(remedy)}};
}

inline Refusal not_plain_text() {
  return refuse(RefusalKind::kManifestText, "UTF-8 text without control characters",
                "the manifest holds other bytes", "write the manifest as UTF-8");
}

}  // namespace attnrt::load
