// Sets of sizes in words, one string an element: for the lists of what is allowed.
#pragma once

#include <string>
#include <vector>

#include "attnrt/manifest.hpp"

namespace attnrt {

// "64" for [64, 64], else "192,128": as the option --head-dim takes it.
std::string to_string(HeadDim d);
std::vector<std::string> to_strings(const IntSet& set);
std::vector<std::string> to_strings(const HeadDimSet& set);

}  // namespace attnrt
