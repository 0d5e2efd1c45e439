// Where the values of a configuration stand, for errors that turn up after parsing.
#pragma once

#include <string>
#include <string_view>

#include "attnrt/config.hpp"
#include "config/tree.hpp"

namespace attnrt::config {

// The tree, whose path of keys is `path`, and all that is in it.
void add_places(const Tree& tree, const std::string& path, std::string_view origin, Places& places);

}  // namespace attnrt::config
