// Whether a plugin that would not open was given an option that it does not take.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "attnrt/plugin.h"
#include "attnrt/result.hpp"
#include "attnrt/session.hpp"

namespace attnrt::runtime {

using PluginOptions = std::vector<std::pair<std::string, std::string>>;

// The operator's error (kInvalid, at the option's place or that of all the plugin's options), if
// `open` called an argument invalid or its text speaks of options. Else none: the refusal is the
// plugin's.
std::optional<Error> option_refusal(attnrt_status status, std::string_view text,
                                    const std::string& plugin, const PluginOptions& given,
                                    const SessionOptions& options);

}  // namespace attnrt::runtime
