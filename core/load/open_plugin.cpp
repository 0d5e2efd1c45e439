#include "load/open_plugin.hpp"

#include <sys/stat.h>

#include <boost/dll/shared_library.hpp>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "load/functions.hpp"
#include "load/host.hpp"
#include "load/inspect.hpp"
#include "load/plugin_call.hpp"

namespace attnrt::load {
namespace {

namespace dll = boost::dll;

// A plugin in the process. Never destroyed: its threads, thread-locals and tables may be in use
// until the very end, and unloading code gains nothing.
struct Library {
  explicit Library(std::string plugin) : host(std::move(plugin)) {}

  dll::shared_library code;
  FileIdentity identity;
  Host host;
  attnrt_plugin table = {};
};

struct Libraries {
  std::mutex mutex;
  std::map<void*, std::unique_ptr<Library>> by_handle;
  std::vector<std::unique_ptr<Library>> refused;  // their code has run, so they stay as well
};

Libraries& libraries() {
  static Libraries* const instance = new Libraries;
  return *instance;
}

Refusal changed(std::string found) {
  return refuse(RefusalKind::kChanged, "the plugin that was scanned", std::move(found),
                "start the process again; if it happens twice, find out who writes the file");
}

Checked<Inspected> inspect_again(const OpenRequest& request) {
  auto now = inspect_file(request.path, request.trust);
  if (now && now->image.manifest.bytes != request.manifest_bytes) {
    return changed("its manifest is another one by now");
  }
  return now;
}

Checked<dll::shared_library> map_code(const std::string& path) {
  try {
    // The throwing overload, since the other loses the loader's text. Local: no plugin sees
    // another's symbols. Now: an unresolved symbol shows here, not in the middle of a run.
    dll::shared_library code;
    code.load(path, dll::load_mode::rtld_now | dll::load_mode::rtld_local);
    return code;
  } catch (const std::exception& failed) {
    return refuse(RefusalKind::kOpenFailed, "a shared object that the dynamic loader accepts",
                  failed.what(), "install what it misses, or the plugin's build for this system");
  }
}

Check check_same_file(const std::string& path, const FileIdentity& identity) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0 || identity_of(status) != identity) {
    return changed("the file was replaced or written while it was opened");
  }
  return Done{};
}

// The symbol's place and the section's size were checked in the file, so all of it is mapped.
Check check_memory(const dll::shared_library& code, const std::string& manifest_bytes) {
  const char& first = code.get<const char>(ATTNRT_MANIFEST_SYMBOL);
  if (std::memcmp(&first, manifest_bytes.data(), manifest_bytes.size()) != 0) {
    return changed("its manifest in memory differs from the one in its file");
  }
  return Done{};
}

Checked<const attnrt_plugin*> call_entry(const Library& library) {
  const auto& entry =
      library.code.get<attnrt_status(const attnrt_host*, const attnrt_plugin**, attnrt_error*)>(
          ATTNRT_ENTRY_SYMBOL);
  const attnrt_plugin* table = nullptr;
  const Status called = call_plugin("", ATTNRT_ENTRY_SYMBOL, [&](attnrt_error* error) {
    return entry(library.host.table(), &table, error);
  });
  if (!called) return Refusal{RefusalKind::kEntryFailed, called.error()};
  if (table == nullptr) {
    return refuse(RefusalKind::kEntryFailed, "a function table",
                  ATTNRT_ENTRY_SYMBOL " answered ok and gave none",
                  "report the defect to the plugin's vendor");
  }
  return table;
}

Check start_checked(Library& library, const OpenRequest& request) {
  if (auto same = check_same_file(request.path, library.identity); !same) return same.error();
  if (auto same = check_memory(library.code, request.manifest_bytes); !same) return same.error();
  auto given = call_entry(library);
  if (!given) return given.error();
  auto table = read_table_of(**given);
  if (!table) return table.error();
  library.table = *table;
  return check_functions(library.table, request.manifest);
}

// Boost throws where the dynamic loader does not find a symbol that the file seemed to export.
Check start(Library& library, const OpenRequest& request) {
  try {
    return start_checked(library, request);
  } catch (const std::exception& failed) {
    return refuse(RefusalKind::kOpenFailed, "the symbols that its file exports", failed.what(),
                  "build the plugin with attnrt_add_plugin");
  }
}

}  // namespace

Checked<const attnrt_plugin*> open_plugin(const OpenRequest& request) {
  Libraries& all = libraries();
  const std::lock_guard lock(all.mutex);
  auto before = inspect_again(request);
  if (!before) return before.error();
  auto code = map_code(request.path);
  if (!code) return code.error();
  if (auto known = all.by_handle.find(code->native()); known != all.by_handle.end()) {
    // Opened earlier, perhaps by another registry. The dynamic loader goes by the path and would
    // hand out the old code for a new file.
    if (known->second->identity != before->identity) {
      return changed("an older file of that path is loaded already");
    }
    return &known->second->table;
  }
  void* const handle = code->native();
  auto library = std::make_unique<Library>(request.manifest.name);
  library->code = std::move(*code);
  library->identity = before->identity;
  if (auto started = start(*library, request); !started) {
    all.refused.push_back(std::move(library));
    return started.error();
  }
  const attnrt_plugin* table = &library->table;
  all.by_handle.emplace(handle, std::move(library));
  return table;
}

}  // namespace attnrt::load
