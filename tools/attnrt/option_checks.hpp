// Checks of options' values, before anything is done with them.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "attnrt/result.hpp"

namespace attnrt::command {

// Decimal digits alone: to CLI11 itself 010 is eight and 0x10 sixteen. For transform().
CLI::Validator whole_number(int32_t min, int32_t max);

// `what` is asked for: "a file's name". For check().
CLI::Validator not_empty(const std::string& what);

// A word where one of the subcommands should stand; none: the arguments have some other mistake.
std::optional<Error> unknown_subcommand(const CLI::App& app);

}  // namespace attnrt::command
