// attnrt bench: shapes × formats × backends against the machine's own limits, or a device's.
#include <CLI/CLI.hpp>
#include <memory>

#include "attnrt/bench.hpp"
#include "attnrt/bench_report.hpp"
#include "attnrt/command.hpp"
#include "attnrt/option_checks.hpp"
#include "attnrt/progress.hpp"
#include "bench/measured_profile.hpp"
#include "bench/plot/roofline_plot.hpp"

namespace attnrt::command {
namespace {

// As given; what is not given is the file's, or the default.
struct BenchArgs {
  std::string config, device, shapes, layout;
  std::vector<std::string> formats, backends;
  std::vector<int32_t> threads;
  std::optional<int32_t> iterations, min_iterations, kv_mib, seed;
  std::optional<double> min_time;
  std::string json, html, png, profile_out;
};

Error at_option(const char* option, Error error) {
  error.where = option;
  return error;
}

Result<BenchConfig> base_config(const BenchArgs& args, const ConfigContext& context) {
  Result<Device> device = parse_device(args.device.empty() ? "cpu" : args.device, context.host);
  if (!device.ok()) return at_option("--device", std::move(device).error());
  ConfigContext with_device = context;
  if (!args.device.empty()) with_device.device = args.device;
  if (!args.config.empty()) return load_bench(args.config, with_device);
  BenchConfig config;
  config.where = "attnrt bench";
  config.device = *std::move(device);
  config.formats = {*parse_spelling("bf16")};
  config.threads = {0};
  if (context.plugin_path) config.plugins.search.path = *context.plugin_path;
  config.plugins.search.manifests = context.manifest_folders;
  return config;
}

void take_file(const std::string& given, const char* key, const char* option, std::string& to,
               BenchConfig& config) {
  if (given.empty()) return;
  to = given;
  config.places[key] = option;
}

// Before anything is measured: figures must not be lost for want of a place to write them to.
Status check_files(const BenchConfig& config) {
  if (!config.png.empty()) {
    if (Status s = bench::check_png(place_of(config.places, "report.png")); !s.ok()) return s;
  }
  const std::pair<const std::string*, const char*> files[] = {
      {&config.json, "report.json"},
      {&config.html, "report.html"},
      {&config.png, "report.png"},
      {&config.profile_out, "bench.profile_out"}};
  for (const auto& [file, key] : files) {
    if (Status s = check_output(*file, place_of(config.places, key)); !s.ok()) return s;
  }
  return Done{};
}

// The options laid over the file.
Status apply(const BenchArgs& args, BenchConfig& config) {
  if (!args.shapes.empty()) {
    Result<std::vector<BenchShape>> shapes = load_shapes(args.shapes);
    if (!shapes.ok()) return shapes.error();
    config.shapes = *std::move(shapes);
  }
  if (!args.formats.empty()) config.formats.clear();
  for (const std::string& text : args.formats) {
    Result<Spelling> format = parse_spelling(text);
    if (!format.ok()) return at_option("--format", std::move(format).error());
    config.formats.push_back(*std::move(format));
  }
  if (!args.layout.empty()) {
    Result<Layout> layout = parse_layout(args.layout);
    if (!layout.ok()) return at_option("--layout", std::move(layout).error());
    config.layout = *layout;
  }
  if (!args.backends.empty()) {
    config.backends = args.backends;
    config.places["bench.backends"] = "--backend";
  }
  if (!args.device.empty()) config.places["device"] = "--device";
  if (!args.threads.empty()) {
    config.threads = args.threads;
    config.places["bench.threads"] = "--threads";
  }
  BenchEffort& effort = config.effort;
  effort.iterations = args.iterations.value_or(effort.iterations);
  effort.min_iterations = args.min_iterations.value_or(effort.min_iterations);
  effort.min_seconds = args.min_time.value_or(effort.min_seconds);
  effort.kv_mib = args.kv_mib.value_or(effort.kv_mib);
  if (args.seed) config.seed = static_cast<uint64_t>(*args.seed);
  take_file(args.json, "report.json", "--report-json", config.json, config);
  take_file(args.html, "report.html", "--html", config.html, config);
  take_file(args.png, "report.png", "--png", config.png, config);
  take_file(args.profile_out, "bench.profile_out", "--profile-out", config.profile_out, config);
  return Done{};
}

Result<BenchConfig> read_config(const BenchArgs& args, const Common& common,
                                const ConfigContext& context) {
  if (args.config.empty() && args.shapes.empty()) {
    return Error{ErrorCode::kInvalid, "attnrt bench", "a configuration, or --shapes FILE.csv",
                 "neither", "see attnrt bench --help"};
  }
  Result<BenchConfig> config = base_config(args, context);
  if (!config.ok()) return config;
  if (common.trust_any_owner) config->plugins.search.trust_any_owner = true;
  if (Status s = apply(args, *config); !s.ok()) return s.error();
  if (Status s = check_files(*config); !s.ok()) return s.error();
  return config;
}

Status write_files(const BenchConfig& config, const bench::SweepResult& result) {
  if (!config.json.empty()) {
    if (Status s = write_output(dump(bench_report_json(result)), config.json); !s.ok()) return s;
  }
  if (!config.html.empty()) {
    if (Status s = write_output(bench_html(result), config.html); !s.ok()) return s;
  }
  if (!config.png.empty()) {
    const bench::Drawing plot = roofline_plot(result, result.limits.back());
    if (Status s = bench::write_png(plot, config.png); !s.ok()) return s;
  }
  if (config.profile_out.empty()) return Done{};
  return write_output(to_json_text(bench::measured_profile(result, config.device)),
                      config.profile_out);
}

int run_bench(const BenchArgs& args, const Common& common) {
  ConfigContext context = default_config_context();
  if (!common.plugins.empty()) context.plugin_path = common.plugins;
  context.manifest_folders = common.manifests;
  Result<BenchConfig> config = read_config(args, common, context);
  if (!config.ok()) return report(config.error());
  const PluginRegistry registry = PluginRegistry::scan(config->plugins.search);
  Result<bench::SweepResult> result = [&] {
    ProgressBar bar;
    return bench::sweep(*config, registry, context.host,
                        [&](std::string_view what, double part) { bar.show(what, part); });
  }();
  if (!result.ok()) return report(result.error());
  const Status written = write_files(*config, *result);
  const int code = written.ok() ? 0 : report(written.error());
  return finish(common.json ? dump(figures_json(*result)) : bench_text(*result), code);
}

}  // namespace

void add_bench(CLI::App& app, const Common& common, Action& action) {
  CLI::App* sub =
      app.add_subcommand("bench", "Time backends against this machine's limits, or a device's");
  auto args = std::make_shared<BenchArgs>();
  constexpr int32_t kMany = 1 << 24;
  sub->add_option("config", args->config, "A YAML file with bench: {shapes: …}");
  sub->add_option("--shapes", args->shapes,
                  "CSV: name,phase,batch,q_len,kv_len,q_heads,kv_heads,head_dim[,block]")
      ->check(not_empty("a file's name"))
      ->type_name("FILE");
  sub->add_option("--device", args->device, "cpu, or cuda:0: by graphs, in its own time")
      ->check(not_empty("a device"))
      ->type_name("DEVICE");
  sub->add_option("--format", args->formats, "KV format; repeat it for more (default: bf16)")
      ->allow_extra_args(false);
  sub->add_option("--backend", args->backends,
                  "Plugin; repeat it for more (default: what the selector chooses)")
      ->allow_extra_args(false);
  sub->add_option("--threads", args->threads, "Threads; repeat it for more (default: one a CPU)")
      ->transform(whole_number(1, 4096))
      ->type_name("N")
      ->allow_extra_args(false);
  sub->add_option("--layout", args->layout, "nhd or hnd (default: the plan's choice)");
  sub->add_option("--iterations", args->iterations, "Time each figure exactly so often")
      ->transform(whole_number(1, kMany))
      ->type_name("N");
  sub->add_option("--min-iterations", args->min_iterations, "… at least so often (default: 9)")
      ->transform(whole_number(1, kMany))
      ->type_name("N");
  sub->add_option("--min-time", args->min_time, "… and at least so long (default: 0.5)")
      ->check(CLI::Range(0.0, 3600.0))
      ->type_name("SECONDS");
  sub->add_option("--kv-mib", args->kv_mib,
                  "KV walked before a page is met again (default: at least 256)")
      ->transform(whole_number(1, 1 << 22))
      ->type_name("MIB");
  sub->add_option("--seed", args->seed, "Of values and block tables (default: 1)")
      ->transform(whole_number(0, INT32_MAX))
      ->type_name("N");
  sub->add_option("--report-json", args->json, "Write everything that was measured there")
      ->check(not_empty("a file's name"));
  sub->add_option("--html", args->html, "Write a page with the roofline there")
      ->check(not_empty("a file's name"));
  sub->add_option("--png", args->png, "Write the roofline of the last number of threads there")
      ->check(not_empty("a file's name"));
  sub->add_option(
      "--profile-out", args->profile_out,
      "Write a measured profile there, for attnrt select --profile and plugins.profile");
  sub->callback(
      [args, &common, &action] { action = [args, &common] { return run_bench(*args, common); }; });
}

}  // namespace attnrt::command
