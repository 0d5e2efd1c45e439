#include "attnrt/config.hpp"

#include "config/files.hpp"
#include "config/places.hpp"
#include "config/reader.hpp"
#include "config/sections.hpp"

namespace attnrt {
namespace config {
namespace {

class FileReader {
 public:
  FileReader(const std::string& origin, const ConfigContext& context)
      : scope_(origin), around_{folder_of(origin), context} {
    file_.path = origin;
  }

  Result<RunFile> read(const Tree& root) {
    if (root.kind != Tree::Kind::kMapping) {
      scope_.fail(root.at.line > 0 ? root.at : Position{1, 1}, "a configuration (key: value)",
                  describe(root));
      return *scope_.error();
    }
    const Tree* report = root.find("report");
    file_.report = read_report(report, scope_);
    if (report != nullptr) {
      add_places(*report, "report", scope_.origin(), file_.report.places);
    }
    Tree shared = root;
    std::erase_if(shared.fields,
                  [](const Tree::Field& f) { return f.key == "runs" || f.key == "report"; });
    const Tree* runs = root.find("runs");
    if (runs == nullptr) {
      add_runs(shared);
    } else {
      add_list(*runs, shared);
    }
    if (!scope_.failed()) refuse_equal_names();
    if (scope_.failed()) return *scope_.error();
    return std::move(file_);
  }

 private:
  void add_list(const Tree& runs, const Tree& shared) {
    if (runs.kind != Tree::Kind::kSequence) {
      scope_.fail(runs.at, "a list of runs", describe(runs));
      return;
    }
    if (runs.items.empty()) {
      scope_.fail(runs.at, "at least one run in runs", "an empty list",
                  "add a run to it (- name: …), or leave runs out: the file is then one run");
      return;
    }
    for (const Tree& item : runs.items) {
      if (item.kind != Tree::Kind::kMapping) {
        scope_.fail(item.at, "a run (key: value)", describe(item));
        return;
      }
      add_runs(merge(shared, item));
      if (scope_.failed()) return;
    }
  }

  // One run, or one for every format that it lists.
  void add_runs(const Tree& tree) {
    Reader reader(tree, scope_, "a run");
    RunConfig run;
    run.where = locate(scope_.origin(), tree.at);
    const auto name = reader.text("name", "the run's name");
    run.model = read_model(reader.get("model"), scope_, around_);
    if (scope_.failed()) return;  // all that follows would only repeat it
    read_device(reader, run);
    std::vector<Spelling> formats;
    read_kv_cache(reader.get("kv_cache"), scope_, run, formats);
    read_request(reader.get("request"), scope_, run);
    read_plugins(reader.get("plugins"), scope_, around_, run);
    run.workload = read_workload(reader.get("workload"), scope_, around_);
    run.verify = read_verify(reader.get("verify"), scope_);
    for (const char* key : {"report", "runs"}) {
      if (reader.get(key) != nullptr) {
        scope_.fail(tree.find(key)->at, "a run", std::string("'") + key + "' inside a run",
                    "it belongs to the whole file");
      }
    }
    reader.finish();
    for (const Tree::Field& field : tree.fields) {
      if (field.key != "model") add_places(field.value, field.key, scope_.origin(), run.places);
    }
    for (const Spelling& format : formats) {
      run.kv_cache.format = format;
      run.name = name ? *name : run.model.name + " " + format.text;
      if (name && formats.size() > 1) run.name += " " + format.text;
      file_.runs.push_back(run);
    }
  }

  void read_device(Reader& reader, RunConfig& run) {
    const Tree* value = reader.get("device");
    const auto written = reader.text("device", "a device");
    const std::string text = around_.context.device.value_or(written.value_or("cpu"));
    Result<Device> device = parse_device(text, around_.context.host);
    if (device.ok()) {
      run.device = *std::move(device);
    } else {
      scope_.fail(value == nullptr ? reader.at() : value->at, std::move(device).error());
    }
  }

  void refuse_equal_names() {
    for (size_t i = 0; i < file_.runs.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (file_.runs[i].name != file_.runs[j].name) continue;
        const std::string& where = file_.runs[i].where;
        scope_.fail({}, "a name of its own for each run", "'" + file_.runs[i].name + "' twice",
                    "give one of them a name: key (" + where + ")");
        return;
      }
    }
  }

  Scope scope_;
  Surroundings around_;
  RunFile file_;
};

}  // namespace
}  // namespace config

PlanOptions RunConfig::plan_options() const {
  PlanOptions options;
  options.kv_cache = kv_cache;
  options.policy = plugins.policy_for(device.kind);
  options.features = features;
  options.decode_query_tokens = decode_query_tokens;
  options.q = q;
  options.out = out;
  options.tensors = tensors;
  options.pages = pages;
  options.alignment = alignment;
  return options;
}

ConfigContext default_config_context() {
  ConfigContext context;
  context.host = probe_host();
  context.cache_folder = user_cache_folder();
  return context;
}

Result<RunFile> parse_config(std::string_view yaml, const std::string& origin,
                             const ConfigContext& context) {
  Result<config::Tree> tree = config::parse_tree(yaml, origin);
  if (!tree.ok()) return std::move(tree).error();
  return config::FileReader(origin, context).read(*tree);
}

Result<RunFile> load_config(const std::string& path, const ConfigContext& context) {
  Result<std::string> text = config::read_file(path, "a configuration", config::kMaxConfigBytes);
  if (!text.ok()) return std::move(text).error();
  return parse_config(*text, path, context);
}

}  // namespace attnrt
