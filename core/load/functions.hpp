// The function table of a plugin: as large as this host knows it, and complete for its manifest.
#pragma once

#include "attnrt/manifest.hpp"
#include "attnrt/plugin.h"
#include "load/refusal.hpp"

namespace attnrt::load {

// A copy with this header's size: functions beyond the given struct_size are null, those that a
// later header added are left out. Refuses sizes that can't be.
Checked<attnrt_plugin> read_table_of(const attnrt_plugin& given);

// Every function that the manifest's ops and features need is there.
Check check_functions(const attnrt_plugin& table, const Manifest& manifest);

}  // namespace attnrt::load
