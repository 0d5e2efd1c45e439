// The runs of a configuration, each with the plugins that it sees and its plan. Shared by plan and
// run: nothing runs before everything is planned.
#pragma once

#include <memory>
#include <vector>

#include "attnrt/command.hpp"
#include "attnrt/config.hpp"
#include "attnrt/json.hpp"
#include "attnrt/load.hpp"

namespace attnrt::command {

struct PlannedRun {
  const RunConfig* config = nullptr;
  std::shared_ptr<const PluginRegistry> registry;
  PlanOutcome outcome;
};

// Folders are scanned once, however many runs use them. `runnable`: bare manifests don't count.
enum class Purpose : uint8_t { kLook, kRun };
Result<std::vector<PlannedRun>> plan_all(const RunFile& file, Purpose purpose);

Result<RunFile> load_runs(const std::string& path, const Common& common, const std::string& device);

// The error with its run's name behind the place, for files of several runs.
Error in_run(Error error, const std::string& name);

bool all_served(const std::vector<PlannedRun>& runs);
std::string planned_text(const std::vector<PlannedRun>& runs);
Json planned_json(const std::vector<PlannedRun>& runs);

}  // namespace attnrt::command
