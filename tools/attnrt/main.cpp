#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <sstream>

#include "attnrt/command.hpp"
#include "attnrt/log.hpp"
#include "attnrt/option_checks.hpp"

namespace {

using namespace attnrt;

constexpr int kUsage = static_cast<int>(ErrorCode::kInvalid);

void add_common(CLI::App& app, command::Common& common) {
  app.add_flag("--json", common.json, "Print JSON");
  app.add_option("--plugins", common.plugins, "Folder of plugins, in place of the search path")
      ->type_name("DIR")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--manifests", common.manifests,
                 "Folder of bare *.yaml manifests: selected and planned for, never run")
      ->type_name("DIR")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_flag("--trust-any-owner", common.trust_any_owner,
               "Take plugins that anybody could have written");
  app.add_option_function<std::string>(
         "--log",
         [](const std::string& text) {
           const Result<LogLevel> level = parse_log_level(text);
           if (!level.ok()) throw CLI::ValidationError("--log", to_string(level.error()));
           set_log_level(*level);
         },
         "What to log to stderr: debug, info, warn, error, off")
      ->type_name("LEVEL");
}

int run_command(int argc, char** argv) {
  CLI::App app{"attnrt: which attention backend runs where, why not, and how well", "attnrt"};
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "attnrt " ATTNRT_VERSION);
  app.footer(
      "The options above may stand before or behind the subcommand.\n"
      "Exit codes: 0 done, 2 usage or configuration, 3 no backend can serve, 4 a plugin refused,\n"
      "5 verification failed, 1 anything else.");

  command::Common common;
  command::Action action;
  add_common(app, common);
  command::add_plugins(app, common, action);
  command::add_select(app, common, action);
  command::add_plan(app, common, action);
  command::add_run(app, common, action);
  command::add_bench(app, common, action);
  command::add_matrix(app, common, action);
  command::add_manifest(app, common, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // CLI11 has codes of its own; here they are success (help, version) or usage. Its texts hold
    // arguments as they came.
    if (const std::optional<Error> unknown = command::unknown_subcommand(app)) {
      return command::report(*unknown);
    }
    std::ostringstream errors;
    const int code = app.exit(e, std::cout, errors);
    std::cerr << printable_lines(errors.str());
    return code == 0 ? 0 : kUsage;
  }
  return action();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_command(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "attnrt: " << printable(e.what()) << '\n';
  } catch (...) {
    std::cerr << "attnrt: unknown failure\n";
  }
  return static_cast<int>(ErrorCode::kInternal);
}
