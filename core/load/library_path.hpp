// Where this library itself lies; plugins are looked for beside it.
#pragma once

#include <string>

namespace attnrt::load {

// The file that holds this code, links resolved; empty if it cannot be told.
const std::string& library_file();

}  // namespace attnrt::load
