#include "load/functions.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

namespace attnrt::load {
namespace {

// A table of version 1.0 reached this far; no plugin has a smaller one.
constexpr uint32_t kLeastBytes =
    offsetof(attnrt_plugin, describe) + sizeof(attnrt_plugin::describe);
// Far beyond any table that will be: what is larger is no size.
constexpr uint32_t kMostBytes = 1 << 16;

struct Needs {
  bool append = false;
  bool attend = false;
  bool merge = false;
  bool graph = false;
  bool device = false;
};

Needs needs_of(const Manifest& manifest) {
  Needs needs;
  for (const KernelManifest& kernel : manifest.kernels) {
    needs.append |= kernel.ops.contains(Op::kAppend);
    needs.merge |= kernel.ops.contains(Op::kMerge);
    const bool attends = kernel.ops.contains(Op::kPrefill) || kernel.ops.contains(Op::kDecode) ||
                         kernel.ops.contains(Op::kMixed);
    needs.attend |= attends;
    needs.graph |= attends && kernel.features.contains(Feature::kGraph);
    needs.device |=
        kernel.device && *kernel.device != DeviceKind::kCpu && *kernel.device != DeviceKind::kSimt;
  }
  return needs;
}

}  // namespace

Checked<attnrt_plugin> read_table_of(const attnrt_plugin& given) {
  if (given.struct_size < kLeastBytes || given.struct_size > kMostBytes) {
    return refuse(RefusalKind::kAbi,
                  "a function table of at least " + std::to_string(kLeastBytes) + " bytes",
                  "struct_size is " + std::to_string(given.struct_size),
                  "set struct_size to sizeof(attnrt_plugin)");
  }
  attnrt_plugin table = {};
  std::memcpy(&table, &given, std::min<size_t>(sizeof table, given.struct_size));
  table.struct_size = sizeof table;
  return table;
}

Check check_functions(const attnrt_plugin& table, const Manifest& manifest) {
  const Needs needs = needs_of(manifest);
  std::vector<std::string> absent;
  const auto want = [&](bool needed, bool there, const char* function) {
    if (needed && !there) absent.emplace_back(function);
  };
  want(true, table.open != nullptr, "open");
  want(true, table.close != nullptr, "close");
  want(true, table.prepare != nullptr, "prepare");
  want(true, table.release_op != nullptr, "release_op");
  want(true, table.workspace != nullptr, "workspace");
  want(needs.append, table.append != nullptr, "append");
  want(needs.attend, table.schedule != nullptr, "schedule");
  want(needs.attend, table.release_schedule != nullptr, "release_schedule");
  want(needs.attend, table.attend != nullptr, "attend");
  want(needs.merge, table.merge != nullptr, "merge");
  want(needs.graph, table.reschedule != nullptr, "reschedule");
  want(needs.device, table.device_service != nullptr, "device_service");
  if (absent.empty()) return Done{};
  std::string names;
  for (const std::string& function : absent) names += (names.empty() ? "" : ", ") + function;
  return refuse(RefusalKind::kMissingFunction, "the functions that its manifest's ops need",
                "these are null: " + names, "report the defect to the plugin's vendor");
}

}  // namespace attnrt::load
