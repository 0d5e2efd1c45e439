// attnrt plan CONFIG: the backend of every layer and op, or why there is none.
#include <CLI/CLI.hpp>
#include <memory>

#include "attnrt/command.hpp"
#include "attnrt/option_checks.hpp"
#include "attnrt/planning.hpp"

namespace attnrt::command {
namespace {

struct PlanArgs {
  std::string config, device;
};

int run_plan(const PlanArgs& args, const Common& common) {
  const Result<RunFile> file = load_runs(args.config, common, args.device);
  if (!file.ok()) return report(file.error());
  const Result<std::vector<PlannedRun>> runs = plan_all(*file, Purpose::kLook);
  if (!runs.ok()) return report(runs.error());
  const int code = all_served(*runs) ? 0 : static_cast<int>(ErrorCode::kNoBackend);
  return finish(common.json ? dump(planned_json(*runs)) : planned_text(*runs), code);
}

}  // namespace

void add_plan(CLI::App& app, const Common& common, Action& action) {
  CLI::App* sub = app.add_subcommand("plan", "Which backend serves every layer of a model");
  auto args = std::make_shared<PlanArgs>();
  sub->add_option("config", args->config, "The YAML file of a run")->required();
  sub->add_option("--device", args->device, "In place of the file's, e.g. cuda:sm_120")
      ->check(not_empty("a device"));
  sub->callback(
      [args, &common, &action] { action = [args, &common] { return run_plan(*args, common); }; });
}

}  // namespace attnrt::command
