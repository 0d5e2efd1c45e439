#include "attnrt/planning.hpp"

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

// Plugins that the run's policy and options name must be there, and not refused.
Status check_names(const RunConfig& config, const PluginRegistry& registry) {
  const std::string required = config.plugins.policy_for(config.device.kind).require;
  if (const RefusedPlugin* refused = registry.find_refused(required)) return refused->reason;
  return check_plugin_names(config, registry.catalog());
}

// Its oracle, too, once there is something to run. A plan asks it nothing, so that the default one
// may be missing; another name was written, and must be right.
Status check_oracle(const PlannedRun& run, Purpose purpose) {
  const std::optional<VerifyConfig>& verify = run.config->verify;
  if (!verify) return Done{};
  const bool asked = purpose == Purpose::kRun ? run.outcome.plan.has_value()
                                              : verify->against != VerifyConfig{}.against;
  if (!asked) return Done{};
  if (const RefusedPlugin* refused = run.registry->find_refused(verify->against)) {
    return refused->reason;
  }
  return check_oracle_name(*run.config, run.registry->catalog());
}

// What plan() says knows no file: its place goes before it.
Error placed(Error error, const RunConfig& config) {
  const std::string place =
      error.where == "skip_layers" ? config.place("kv_cache.skip_layers") : config.where;
  error.where = error.where.empty() ? place : place + ": " + error.where;
  return error;
}

Result<PlanOutcome> plan_one(const PlannedRun& run, Purpose purpose) {
  const RunConfig& config = *run.config;
  PlanOptions options = config.plan_options();
  options.runnable = purpose == Purpose::kRun;
  Result<PlanOutcome> outcome = plan(config.model, config.device, options, run.registry->catalog());
  if (!outcome.ok()) return placed(std::move(outcome).error(), config);
  return outcome;
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
  const auto named = [&](const Error& error, const RunConfig& config) {
    return file.runs.size() > 1 ? in_run(error, config.name) : error;
  };
  std::vector<PlannedRun> runs;
  for (const RunConfig& config : file.runs) {
    PlannedRun run{&config, registry_of(runs, config), {}};
    if (Status s = check_names(config, *run.registry); !s) return named(s.error(), config);
    Result<PlanOutcome> outcome = plan_one(run, purpose);
    if (!outcome.ok()) return named(outcome.error(), config);
    run.outcome = *std::move(outcome);
    if (Status s = check_oracle(run, purpose); !s) return named(s.error(), config);
    runs.push_back(std::move(run));
  }
  return runs;
}

Error in_run(Error error, const std::string& name) {
  const std::string run = "run '" + name + "'";
  error.where = error.where.empty() ? run : error.where + ": " + run;
  return error;
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
    if (runs.size() > 1) text += "== " + printable(run.config->name) + "\n";
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
