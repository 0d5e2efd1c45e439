#include "attnrt/planning.hpp"

#include <algorithm>

#include "attnrt/text.hpp"

namespace attnrt::command {
namespace {

bool same_search(const SearchOptions& a, const SearchOptions& b) {
  return a.path == b.path && a.manifests == b.manifests && a.trust_any_owner == b.trust_any_owner;
}

std::shared_ptr<const PluginRegistry> registry_of(const std::vector<PlannedRun>& before,
                                                  const RunConfig& config) {
  for (const PlannedRun& run : before) {
    if (same_search(run.config->plugins.search, config.plugins.search)) return run.registry;
  }
  return std::make_shared<const PluginRegistry>(PluginRegistry::scan(config.plugins.search));
}

Policy policy_of(const PlannedRun& run) {
  return run.config->plugins.policy_for(run.config->device.kind);
}

Json run_json(const PlannedRun& run) {
  const Catalog& catalog = run.registry->catalog();
  Json json = {{"name", run.config->name}, {"served", run.outcome.plan.has_value()}};
  json.update(run.outcome.plan ? to_json(*run.outcome.plan, catalog, policy_of(run))
                               : to_json(run.outcome.refusals, catalog, policy_of(run)));
  return json;
}

// Options of a plugin that is not there would be dropped without a word.
Status check_options(const RunConfig& config, const PluginRegistry& registry) {
  for (const auto& [name, options] : config.plugins.options) {
    const auto& plugins = registry.plugins();
    const bool found = std::any_of(plugins.begin(), plugins.end(),
                                   [&](const ScannedPlugin& p) { return p.manifest.name == name; });
    if (found) continue;
    return Error{ErrorCode::kInvalid, config.where + ": plugins.options",
                 "the name of a plugin that was found", "'" + name + "'",
                 "see attnrt plugins, or remove its options"};
  }
  return Done{};
}

}  // namespace

Result<RunFile> load_runs(const std::string& path, const Common& common,
                          const std::string& device) {
  ConfigContext context = default_config_context();
  if (!device.empty()) {
    // Checked here, so that the message names the option and not a line of the file.
    const Result<Device> parsed = parse_device(device, context.host);
    if (!parsed.ok()) {
      Error error = parsed.error();
      error.where = "--device";
      return error;
    }
    context.device = device;
  }
  if (!common.plugins.empty()) context.plugin_path = common.plugins;
  context.manifest_folders = common.manifests;
  Result<RunFile> file = load_config(path, context);
  if (!file.ok()) return file;
  for (RunConfig& run : file->runs) {
    if (common.trust_any_owner) run.plugins.search.trust_any_owner = true;
  }
  return file;
}

Result<std::vector<PlannedRun>> plan_all(const RunFile& file, Purpose purpose) {
  std::vector<PlannedRun> runs;
  for (const RunConfig& config : file.runs) {
    PlannedRun run{&config, registry_of(runs, config), {}};
    PlanOptions options = config.plan_options();
    options.runnable = purpose == Purpose::kRun;
    if (const RefusedPlugin* refused = run.registry->find_refused(options.policy.require)) {
      return refused->reason;
    }
    if (Status named = check_options(config, *run.registry); !named.ok()) return named.error();
    Result<PlanOutcome> outcome =
        plan(config.model, config.device, options, run.registry->catalog());
    if (!outcome.ok()) {
      Error error = std::move(outcome).error();
      error.where = error.where.empty() ? config.where : config.where + ": " + error.where;
      return error;
    }
    run.outcome = *std::move(outcome);
    runs.push_back(std::move(run));
  }
  return runs;
}

bool all_served(const std::vector<PlannedRun>& runs) {
  for (const PlannedRun& run : runs) {
    if (!run.outcome.plan) return false;
  }
  return true;
}

std::string planned_text(const std::vector<PlannedRun>& runs) {
  std::string text;
  for (const PlannedRun& run : runs) {
    if (!text.empty()) text += "\n";
    if (runs.size() > 1) text += "== " + run.config->name + "\n";
    const Catalog& catalog = run.registry->catalog();
    text += run.outcome.plan ? plan_text(*run.outcome.plan, catalog)
                             : refusals_text(run.outcome.refusals, catalog, policy_of(run));
  }
  return text;
}

Json planned_json(const std::vector<PlannedRun>& runs) {
  if (runs.size() == 1) return run_json(runs.front());
  Json json = {{"runs", Json::array()}};
  for (const PlannedRun& run : runs) json["runs"].push_back(run_json(run));
  return json;
}

}  // namespace attnrt::command
