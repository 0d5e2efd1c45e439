// Which libraries a plugin needs that are not there, found out without loading any of them.
//
// Looks where the dynamic loader would: objects of the process, DT_RPATH, LD_LIBRARY_PATH,
// DT_RUNPATH, ld.so.cache, the default folders; and through the needs of what it finds.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "load/elf.hpp"
#include "load/ld_cache.hpp"

namespace attnrt::load {

// The world that is searched; a test gives one of its own.
struct LibraryWorld {
  std::vector<std::string> library_path;     // LD_LIBRARY_PATH; empty for privileged processes
  std::vector<std::string> default_folders;  // /lib, /usr/lib and the like
  const LdCache* cache = nullptr;
  std::function<bool(const std::string&)> is_loaded;  // is it part of this process already?
};
LibraryWorld system_world();

// An object and the folder that it lies in ($ORIGIN).
struct LibraryUser {
  ElfDynamic dynamic;
  std::string folder;
};
// Names in the order in which they are met, each once; one that a library needs and the plugin does
// not name is written "libx.so (needed by liby.so)". `extra`: names of the manifest's needs.
std::vector<std::string> missing_libraries(const LibraryUser& plugin,
                                           const std::vector<std::string>& extra,
                                           const LibraryWorld& world);

// $ORIGIN, $LIB and $PLATFORM in one folder of a search path; $LIB has several readings.
std::vector<std::string> expand_tokens(const std::string& folder, const std::string& origin);

}  // namespace attnrt::load
