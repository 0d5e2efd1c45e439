// attnrt manifest check FILE…, attnrt manifest embed FILE -o out.c
#include <CLI/CLI.hpp>
#include <memory>

#include "attnrt/command.hpp"
#include "attnrt/embed.hpp"
#include "attnrt/json.hpp"

namespace attnrt::command {
namespace {

struct ManifestArgs {
  std::vector<std::string> files;
  std::string output;
};

std::vector<std::string> warnings_of(const Manifest& manifest) {
  std::vector<std::string> warnings = manifest.warnings;
  for (const KernelManifest& kernel : manifest.kernels) {
    for (const std::string& key : kernel.unknown_keys) {
      warnings.push_back("kernel " + kernel.name + ": unknown key '" + key +
                         "': it may be a restriction, so the kernel is never chosen");
    }
  }
  return warnings;
}

int run_check(const ManifestArgs& args, const Common& common) {
  Json json = Json::array();
  std::string text;
  int code = 0;
  for (const std::string& file : args.files) {
    const Result<Manifest> manifest = read_manifest_file(file);
    if (!manifest.ok()) {
      code = static_cast<int>(manifest.error().code);
      json.push_back({{"file", file}, {"valid", false}, {"error", to_json(manifest.error())}});
      text += to_string(manifest.error()) + "\n";
      continue;
    }
    const std::vector<std::string> warnings = warnings_of(*manifest);
    json.push_back({{"file", file},
                    {"valid", true},
                    {"plugin", manifest->name},
                    {"kernels", manifest->kernels.size()},
                    {"warnings", warnings}});
    text += printable(file) + ": " + manifest->name + " " + manifest->version + ", " +
            std::to_string(manifest->kernels.size()) +
            (manifest->kernels.size() == 1 ? " kernel" : " kernels") + ", valid\n";
    for (const std::string& warning : warnings) text += "  warning: " + printable(warning) + "\n";
  }
  return finish(common.json ? dump(json) : text, code);
}

int run_embed(const ManifestArgs& args, const Common& common) {
  const std::string& file = args.files.front();
  const Result<std::string> source = embed_manifest(file, args.output);
  if (!source.ok()) return report(source.error());
  const Status written = write_output(*source, args.output);
  if (!written.ok()) return report(written.error());
  if (!common.json) return 0;
  return finish(dump({{"manifest", file}, {"output", args.output}}));
}

}  // namespace

void add_manifest(CLI::App& app, const Common& common, Action& action) {
  CLI::App* sub = app.add_subcommand("manifest", "Check and embed manifests");
  sub->require_subcommand(1);
  auto args = std::make_shared<ManifestArgs>();
  CLI::App* check = sub->add_subcommand("check", "Is a manifest valid? Takes *.yaml and plugins");
  check->add_option("files", args->files, "Manifests or plugins")->required();
  check->callback(
      [args, &common, &action] { action = [args, &common] { return run_check(*args, common); }; });
  CLI::App* embed = sub->add_subcommand(
      "embed", "Write the source that puts a manifest into a plugin, for builds without CMake");
  embed->add_option("file", args->files, "The manifest")->required()->expected(1);
  embed->add_option("-o,--output", args->output, "out.c (C, C++) or out.s (assembly)")->required();
  embed->callback(
      [args, &common, &action] { action = [args, &common] { return run_embed(*args, common); }; });
  for (CLI::App* inner : {check, embed}) inner->fallthrough();
  sub->fallthrough();
}

}  // namespace attnrt::command
