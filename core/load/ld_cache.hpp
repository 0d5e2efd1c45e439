// /etc/ld.so.cache: which libraries the dynamic loader knows by name. Read, never written.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "load/byte_source.hpp"

namespace attnrt::load {

// Name to paths, in the cache's order of preference.
using LdCache = std::unordered_map<std::string, std::vector<std::string>>;

// The format "glibc-ld.so.cache1.1", alone or behind the older one. What cannot be understood is
// left out: the default folders are searched anyway.
LdCache parse_ld_cache(const ByteSource& source);

// The system's; read once a process.
const LdCache& system_ld_cache();

}  // namespace attnrt::load
