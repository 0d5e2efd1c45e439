// The manifest in a plugin's binary: found, bounded and read without running the plugin.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "load/byte_source.hpp"
#include "load/elf.hpp"

namespace attnrt::load {

// What the plugin must still be when its code is opened.
struct EmbeddedManifest {
  std::string bytes;  // header and text, as in the file
  std::string text;
};

// What a plugin's binary says about itself.
struct PluginImage {
  EmbeddedManifest manifest;
  ElfDynamic dynamic;
};

// Section, header, text and the two exported symbols, against attnrt/plugin.h.
Checked<PluginImage> inspect_plugin(const ByteSource& source);

}  // namespace attnrt::load
