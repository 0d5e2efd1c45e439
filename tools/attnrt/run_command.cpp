// attnrt run CONFIG: plans every run, then executes, measures and judges them.
#include <CLI/CLI.hpp>
#include <memory>

#include "attnrt/command.hpp"
#include "attnrt/html_report.hpp"
#include "attnrt/option_checks.hpp"
#include "attnrt/planning.hpp"
#include "attnrt/progress.hpp"
#include "attnrt/text.hpp"

namespace attnrt::command {
namespace {

struct RunArgs {
  std::string config, json_file, html_file;
};

struct Outcome {
  std::vector<RunReport> reports;
  std::vector<std::pair<std::string, Error>> failures;  // run's name, reason
};

// A run that fails does not stop the others: each stands for itself.
Outcome execute(const std::vector<PlannedRun>& runs) {
  Outcome outcome;
  ProgressBar bar;
  for (size_t i = 0; i < runs.size(); ++i) {
    const RunConfig& config = *runs[i].config;
    bar.prefix(std::to_string(i + 1) + "/" + std::to_string(runs.size()) + " " + config.name + ":");
    Result<RunReport> done = run(config, *runs[i].registry,
                                 [&](std::string_view what, double part) { bar.show(what, part); });
    if (done.ok()) {
      outcome.reports.push_back(*std::move(done));
    } else {
      outcome.failures.emplace_back(config.name, std::move(done).error());
    }
  }
  return outcome;
}

Json outcome_json(const Outcome& outcome) {
  Json json = {{"runs", Json::array()}, {"failed", Json::array()}};
  for (const RunReport& done : outcome.reports) json["runs"].push_back(to_json(done));
  for (const auto& [name, error] : outcome.failures) {
    json["failed"].push_back({{"name", name}, {"error", to_json(error)}});
  }
  return json;
}

int exit_code(const Outcome& outcome) {
  if (!outcome.failures.empty()) return static_cast<int>(outcome.failures.front().second.code);
  for (const RunReport& done : outcome.reports) {
    if (!done.verified) return static_cast<int>(ErrorCode::kVerification);
  }
  return 0;
}

// A file's place: the option that names it, or the line of the configuration.
Status check_report(const std::string& option, const std::string& kind, const std::string& file,
                    const ReportConfig& config) {
  return check_output(
      file, option.empty() ? place_of(config.places, "report." + kind) : "--report-" + kind);
}

// Before anything runs: the work must not be lost for want of a place to write it to.
Status take_reports(const RunArgs& args, ReportConfig& reports) {
  if (!args.json_file.empty()) reports.json = args.json_file;
  if (!args.html_file.empty()) reports.html = args.html_file;
  if (Status s = check_report(args.json_file, "json", reports.json, reports); !s) return s;
  return check_report(args.html_file, "html", reports.html, reports);
}

int write_reports(const Outcome& outcome, const ReportConfig& files) {
  for (const auto& [file, text] : {std::pair(files.json, dump(outcome_json(outcome))),
                                   std::pair(files.html, html_report(outcome.reports))}) {
    if (file.empty()) continue;
    const Status written = write_output(text, file);
    if (!written.ok()) return report(written.error());
  }
  return 0;
}

int run_run(const RunArgs& args, const Common& common) {
  Result<RunFile> file = load_runs(args.config, common, "");
  if (!file.ok()) return report(file.error());
  if (Status s = take_reports(args, file->report); !s) return report(s.error());
  const Result<std::vector<PlannedRun>> runs = plan_all(*file, Purpose::kRun);
  if (!runs.ok()) return report(runs.error());
  if (!all_served(*runs)) {
    return finish(common.json ? dump(planned_json(*runs)) : planned_text(*runs),
                  static_cast<int>(ErrorCode::kNoBackend));
  }
  const Outcome outcome = execute(*runs);
  const int code = exit_code(outcome);
  const int printed =
      finish(common.json ? dump(outcome_json(outcome)) : reports_text(outcome.reports), code);
  for (const auto& [name, error] : outcome.failures) {
    report(in_run(error, name));
  }
  const int reported = write_reports(outcome, file->report);
  return printed != code || reported == 0 ? printed : reported;
}

}  // namespace

void add_run(CLI::App& app, const Common& common, Action& action) {
  CLI::App* sub = app.add_subcommand("run", "Run a workload: errors, speed, bytes");
  auto args = std::make_shared<RunArgs>();
  sub->add_option("config", args->config, "The YAML file of one or more runs")->required();
  sub->add_option("--report-json", args->json_file, "Write the report there, too")
      ->check(not_empty("a file's name"));
  sub->add_option("--report-html", args->html_file, "Write a page for a browser there")
      ->check(not_empty("a file's name"));
  sub->callback(
      [args, &common, &action] { action = [args, &common] { return run_run(*args, common); }; });
}

}  // namespace attnrt::command
