#include "load/library_search.hpp"

#include <dlfcn.h>
#include <sys/auxv.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "load/file_trust.hpp"

namespace attnrt::load {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxLibraries = 1024;  // ends a search that leads nowhere

#if defined(__x86_64__)
constexpr const char* kTriplet = "x86_64-linux-gnu";
#else
constexpr const char* kTriplet = "aarch64-linux-gnu";
#endif

std::vector<std::string> split(std::string_view text, std::string_view separators) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(separators), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

bool is_loaded_here(const std::string& name) {
  void* handle = ::dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (handle == nullptr) return false;
  ::dlclose(handle);
  return true;
}

// Somebody in the search: a library that was found, or the plugin itself.
struct Requester {
  LibraryUser user;
  std::vector<std::string> inherited_rpath;
  std::string name;  // empty: the plugin
};

struct Found {
  std::string path;
  ElfDynamic dynamic;
};

// The loader passes over files of another machine, and so does this.
std::optional<Found> usable(const std::string& path) {
  auto file = open_regular(path);
  if (!file) return std::nullopt;
  const FileSource source = file->source();
  const auto image = read_image(source);
  if (!image) return std::nullopt;
  auto dynamic = read_dynamic(source, *image);
  if (!dynamic) return std::nullopt;
  return Found{file->real_path(), std::move(*dynamic)};
}

class Search {
 public:
  explicit Search(const LibraryWorld& world) : world_(world) {}

  std::vector<std::string> run(const LibraryUser& plugin, const std::vector<std::string>& extra) {
    Requester first{plugin, {}, ""};
    for (const std::string& name : extra) visit(name, first);
    queue_.push_back(std::move(first));
    while (!queue_.empty() && seen_.size() < kMaxLibraries) {
      const Requester requester = std::move(queue_.front());
      queue_.pop_front();
      for (const std::string& name : requester.user.dynamic.needed) visit(name, requester);
    }
    return std::move(missing_);
  }

 private:
  void visit(const std::string& name, const Requester& requester) {
    if (!seen_.insert(name).second) return;
    if (!name.empty() && world_.is_loaded(name)) return;
    auto found = find(name, requester);
    if (!found) {
      missing_.push_back(requester.name.empty() ? name
                                                : name + " (needed by " + requester.name + ")");
      return;
    }
    const std::string folder = fs::path(found->path).parent_path().string();
    queue_.push_back({{std::move(found->dynamic), folder}, rpath_of(requester), name});
  }

  // DT_RPATH is inherited, DT_RUNPATH is not, and its presence switches DT_RPATH off.
  static std::vector<std::string> rpath_of(const Requester& requester) {
    std::vector<std::string> folders;
    const ElfDynamic& dynamic = requester.user.dynamic;
    if (dynamic.rpath && !dynamic.runpath) add(folders, *dynamic.rpath, requester);
    folders.insert(folders.end(), requester.inherited_rpath.begin(),
                   requester.inherited_rpath.end());
    return folders;
  }

  static void add(std::vector<std::string>& folders, const std::string& text,
                  const Requester& requester) {
    for (const std::string& part : split(text, ":")) {
      for (std::string& folder : expand_tokens(part, requester.user.folder)) {
        folders.push_back(std::move(folder));
      }
    }
  }

  std::optional<Found> find(const std::string& name, const Requester& requester) const {
    if (name.empty()) return std::nullopt;
    if (name.find('/') != std::string::npos) {
      for (const std::string& path : expand_tokens(name, requester.user.folder)) {
        if (auto found = usable(path)) return found;
      }
      return std::nullopt;
    }
    const auto& runpath = requester.user.dynamic.runpath;
    std::vector<std::string> folders;
    if (!runpath) folders = rpath_of(requester);
    folders.insert(folders.end(), world_.library_path.begin(), world_.library_path.end());
    if (runpath) add(folders, *runpath, requester);
    if (auto found = find_in(folders, name)) return found;
    if (auto found = find_in_cache(name)) return found;
    return find_in(world_.default_folders, name);
  }

  std::optional<Found> find_in_cache(const std::string& name) const {
    if (world_.cache == nullptr) return std::nullopt;
    const auto known = world_.cache->find(name);
    if (known == world_.cache->end()) return std::nullopt;
    for (const std::string& path : known->second) {
      if (auto found = usable(path)) return found;
    }
    return std::nullopt;
  }

  static std::optional<Found> find_in(const std::vector<std::string>& folders,
                                      const std::string& name) {
    for (const std::string& folder : folders) {
      if (auto found = usable((fs::path(folder) / name).string())) return found;
    }
    return std::nullopt;
  }

  const LibraryWorld& world_;
  std::set<std::string> seen_;
  std::deque<Requester> queue_;
  std::vector<std::string> missing_;
};

}  // namespace

std::vector<std::string> expand_tokens(const std::string& folder, const std::string& origin) {
  std::string text = folder;
  for (const char* token : {"${ORIGIN}", "$ORIGIN"}) replace_all(text, token, origin);
  const auto* platform = reinterpret_cast<const char*>(::getauxval(AT_PLATFORM));
  for (const char* token : {"${PLATFORM}", "$PLATFORM"}) {
    replace_all(text, token, platform != nullptr ? platform : "");
  }
  if (text.find("$LIB") == std::string::npos && text.find("${LIB}") == std::string::npos) {
    return {text};
  }
  std::vector<std::string> readings;
  for (const std::string& lib :
       {std::string("lib/") + kTriplet, std::string("lib64"), std::string("lib")}) {
    std::string reading = text;
    for (const char* token : {"${LIB}", "$LIB"}) replace_all(reading, token, lib);
    readings.push_back(std::move(reading));
  }
  return readings;
}

LibraryWorld system_world() {
  LibraryWorld world;
  if (const char* path = ::secure_getenv("LD_LIBRARY_PATH")) {
    for (const std::string& part : split(path, ":;")) {
      for (std::string& folder : expand_tokens(part, ""))
        world.library_path.push_back(std::move(folder));
    }
  }
  for (const char* root : {"/lib/", "/usr/lib/"})
    world.default_folders.push_back(std::string(root) + kTriplet);
  for (const char* folder : {"/lib64", "/usr/lib64", "/lib", "/usr/lib"})
    world.default_folders.emplace_back(folder);
  world.cache = &system_ld_cache();
  world.is_loaded = is_loaded_here;
  return world;
}

std::vector<std::string> missing_libraries(const LibraryUser& plugin,
                                           const std::vector<std::string>& extra,
                                           const LibraryWorld& world) {
  return Search(world).run(plugin, extra);
}

}  // namespace attnrt::load
