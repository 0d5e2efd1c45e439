// What the subcommands share: the options of all, and how results and errors leave the process.
// Results go to stdout, everything else to stderr.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "attnrt/load.hpp"
#include "attnrt/result.hpp"

namespace CLI {
class App;
}

namespace attnrt::command {

// Options that every subcommand takes.
struct Common {
  bool json = false;
  std::vector<std::string> plugins;    // replaces the search path
  std::vector<std::string> manifests;  // folders of bare manifests
  bool trust_any_owner = false;

  SearchOptions search() const;
};

// The chosen subcommand's work; returns the exit code.
using Action = std::function<int()>;

// Each adds its subcommand to `app` and, once it was parsed, puts its work into `action`.
void add_select(CLI::App& app, const Common& common, Action& action);
void add_plan(CLI::App& app, const Common& common, Action& action);
void add_run(CLI::App& app, const Common& common, Action& action);
void add_plugins(CLI::App& app, const Common& common, Action& action);
void add_bench(CLI::App& app, const Common& common, Action& action);
void add_matrix(CLI::App& app, const Common& common, Action& action);
void add_manifest(CLI::App& app, const Common& common, Action& action);

// "attnrt: run.yaml:3:7: expected …" to stderr; returns the error's exit code.
int report(const Error& error);

// Whether a file could be written, as far as can be told without making it: before long work.
// Error: kInvalid, at `where`, the option or the place that names the file.
Status check_output(const std::string& file, const std::string& where);

// To stdout, where names can't hold anything that a terminal obeys, or to a file as it is ("-" and
// "" are stdout). kInternal if it can't be written.
Status write_output(const std::string& text, const std::string& file = "");

// The exit code of a command that ends with this text on stdout.
int finish(const std::string& text, int code = 0);

}  // namespace attnrt::command
