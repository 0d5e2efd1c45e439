// A plugin's file as the scan sees it: trusted, read, understood, and none of its code run.
#pragma once

#include <string>

#include "attnrt/manifest.hpp"
#include "load/elf_manifest.hpp"
#include "load/file_trust.hpp"

namespace attnrt::load {

struct Inspected {
  std::string real_path;
  FileIdentity identity;
  PluginImage image;
};
// Links, kind, owner, mode, ELF and the manifest's section, through one descriptor.
Checked<Inspected> inspect_file(const std::string& path, const TrustRules& rules);

// The text of a bare manifest: data, so anybody's, but bounded and never blocking.
Checked<std::string> read_bare_manifest(const std::string& path);

// The manifest's text, and that it is for this host's ABI.
Checked<Manifest> read_manifest(const std::string& text, const std::string& origin);

}  // namespace attnrt::load
