// attnrt matrix: the support table, made from manifests.
#include <CLI/CLI.hpp>
#include <memory>

#include "attnrt/command.hpp"
#include "attnrt/matrix.hpp"
#include "attnrt/option_checks.hpp"

namespace attnrt::command {
namespace {

struct MatrixArgs {
  std::string format = "markdown", output;
};

int run_matrix(const MatrixArgs& args, const Common& common) {
  const PluginRegistry registry = PluginRegistry::scan(common.search());
  std::vector<Manifest> manifests;
  for (const ScannedPlugin& plugin : registry.plugins()) manifests.push_back(plugin.manifest);
  std::string text;
  if (common.json || args.format == "json") {
    text = dump(matrix_json(manifests));
  } else if (args.format == "html") {
    text = matrix_html(manifests);
  } else {
    text = matrix_markdown(manifests);
  }
  const Status written = write_output(text, args.output);
  return written.ok() ? 0 : report(written.error());
}

}  // namespace

void add_matrix(CLI::App& app, const Common& common, Action& action) {
  CLI::App* sub = app.add_subcommand("matrix", "What every kernel supports, from the manifests");
  auto args = std::make_shared<MatrixArgs>();
  sub->add_option("--format", args->format, "markdown, json or html")
      ->check(CLI::IsMember({"markdown", "json", "html"}))
      ->capture_default_str();
  sub->add_option("-o,--output", args->output, "A file in place of stdout")
      ->check(not_empty("a file's name"));
  sub->callback(
      [args, &common, &action] { action = [args, &common] { return run_matrix(*args, common); }; });
}

}  // namespace attnrt::command
