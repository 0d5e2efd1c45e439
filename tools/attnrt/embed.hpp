// A manifest as source text that puts it into a plugin's section, as attnrt/plugin.h demands.
#pragma once

#include <string>
#include <string_view>

#include "attnrt/result.hpp"

namespace attnrt::command {

// The manifest is validated first. The language follows from the output's name: *.c or *.s. The
// source holds the text itself, so the manifest is not needed again to compile it.
Result<std::string> embed_manifest(const std::string& manifest, const std::string& output);

std::string embedded_c(std::string_view text);
std::string embedded_assembly(std::string_view text);

}  // namespace attnrt::command
