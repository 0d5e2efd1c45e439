// Step 7: the one place where a plugin's code begins to run.
#pragma once

#include <string>

#include "attnrt/manifest.hpp"
#include "attnrt/plugin.h"
#include "load/file_trust.hpp"
#include "load/refusal.hpp"

namespace attnrt::load {

// What the scan found out, and what must still hold.
struct OpenRequest {
  const std::string& path;            // links resolved, absolute
  const std::string& manifest_bytes;  // the section, as it was read
  const Manifest& manifest;
  const TrustRules& trust;
};

// The table has this header's size and lives as long as the process, like the plugin's code.
// Thread-safe.
Checked<const attnrt_plugin*> open_plugin(const OpenRequest& request);

}  // namespace attnrt::load
