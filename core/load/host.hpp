// The host services that plugins get: the log, and memory for their small tables.
#pragma once

#include <string>

#include "attnrt/plugin.h"

namespace attnrt::load {

// `name` is the plugin's, put before what it logs; it outlives every use of the result, so does
// nothing else. parallel_for is null: whoever has threads to lend sets it, with ctx left as it is.
attnrt_host make_host(const std::string& name);

}  // namespace attnrt::load
