// Configuration: a YAML file -> typed runs.
//
// One file describes one run, or several: entries of the list `runs:` override the rest of the file
// key by key, and a list of formats (kv_cache: {format: [bf16, fp8_e4m3]}) stands for a run each.
// Unknown keys, wrong types, duplicates and impossible values are errors with file:line:column.
// Inputs given as relative paths are resolved against the file's folder; reports are written
// relative to the current folder. Parsing looks at no plugin: their names are checked against a
// catalog, by check_plugin_names.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "attnrt/device.hpp"
#include "attnrt/load.hpp"
#include "attnrt/plan.hpp"
#include "attnrt/result.hpp"

namespace attnrt {

// Real queries, keys and values of a model, recorded layer by layer (safetensors).
// The first tokens are prefilled, the last `decode_tokens` are decoded one by one.
struct RecordedWorkload {
  // Absolute; it may not exist (attnrt plan needs none). A bare name: it belongs into the cache
  // folder, and the user has none.
  std::string file;
  int32_t decode_tokens = 64;  // 0: prefill only
  int32_t chunk_tokens = 0;    // prefill at most so many a step; 0: all at once
  // A sample, for backends that are right but slow; the report says so. 0: all.
  int32_t tokens = 0;  // only the first so many of the recording
  int32_t layers =
      0;  // only so many, evenly spread over each of the plan's groups, at least one each
};

// Seeded random numbers; nothing of a model but its shape.
struct SyntheticWorkload {
  uint64_t seed = 1;
  std::vector<int32_t> prompt_tokens;  // of each sequence; 0 is allowed; never empty
  std::vector<int32_t> arrival_step;   // of each sequence, ascending; same size
  int32_t decode_steps = 32;           // tokens decoded by each sequence after its prompt
  int32_t chunk_tokens = 0;            // prefill at most so many a step and sequence; 0: no limit
};
using Workload = std::variant<RecordedWorkload, SyntheticWorkload>;

struct VerifyConfig {
  std::string against = "reference";  // a plugin's name
  double sample = 1.0;                // fraction of query rows compared, in (0, 1]
  // The largest relative root-mean-square error of a layer's output; empty: the bound that the
  // rounding of formats and dtypes explains. Beyond it a run ends with kVerification.
  std::optional<double> max_error;
};

struct PolicyOverride {
  std::optional<std::string> require;
  std::optional<std::vector<std::string>> prefer;
  std::optional<std::vector<std::string>> deny;
};

struct PluginConfig {
  SearchOptions search;
  Policy policy;
  std::map<DeviceKind, PolicyOverride> per_device;  // a key given here replaces policy's
  // Per plugin, handed to it on open: {"cpu", {{"threads", "2"}}}.
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> options;
  enum class OnRefusal : uint8_t { kFail, kReplan };
  OnRefusal on_refusal = OnRefusal::kFail;

  Policy policy_for(DeviceKind kind) const;
};

// Where values were written, "file:line:column" by their path of keys: "plugins.prefer.0". For
// what turns out to be wrong only when plugins are known. The model's keys are not among them.
using Places = std::map<std::string, std::string>;
// The place of a value; of the nearest key above it that was written; else "".
std::string place_of(const Places& places, std::string_view path);

struct RunConfig {
  std::string name;   // unique in its file: as written, else "MODEL FORMAT"
  std::string where;  // file:line:column where the run is described
  ModelGeometry model;
  Device device;
  KvCacheOptions kv_cache;
  int64_t blocks = 0;  // of the pool; 0: as many as the workload needs
  std::optional<DType> q, out;
  Features features;                   // guarantees and outputs wanted of every layer
  int32_t decode_query_tokens = 1;     // speculative decoding: more
  Strides tensors = Strides::kPacked;  // of an engine to plan for; a run's own are packed
  Strides pages = Strides::kPacked;
  int32_t alignment = kUsualAlignment;
  PluginConfig plugins;
  Workload workload;
  std::optional<VerifyConfig> verify;  // empty: not wanted
  Places places;

  PlanOptions plan_options() const;                // runnable; policy for this run's device
  std::string place(std::string_view path) const;  // place_of, else `where`
};

struct ReportConfig {
  std::string json;  // paths as written; empty: not wanted
  std::string html;
  Places places;  // "report.json", "report.html"
};

struct RunFile {
  std::string path;
  std::vector<RunConfig> runs;  // never empty
  ReportConfig report;          // one for the whole file
};

// What parsing may know of this machine, and what the command line puts in the file's place.
struct ConfigContext {
  HostFacts host;                     // for `device: cpu`, `cuda:0`
  std::string cache_folder;           // where bare names of recordings are looked for; may be empty
  std::optional<std::string> device;  // replaces every run's device
  std::optional<std::vector<std::string>> plugin_path;  // replaces plugins.path
  std::vector<std::string> manifest_folders;            // added to plugins.manifests
};
// probe_host() and user_cache_folder().
ConfigContext default_config_context();
// ${XDG_CACHE_HOME:-$HOME/.cache}/attnrt; empty where neither is an absolute path.
std::string user_cache_folder();

// A regular file of at most 1 MiB.
Result<RunFile> load_config(const std::string& path, const ConfigContext& context);
// `origin` is the file that the text came from: it names it in errors and gives the folder against
// which paths are resolved.
Result<RunFile> parse_config(std::string_view yaml, const std::string& origin,
                             const ConfigContext& context);

// Plugins that the run's policy or options name and the catalog has not, a plugin named twice, and
// a policy that contradicts itself: kInvalid, with the place and the nearest names.
Status check_plugin_names(const RunConfig& config, const Catalog& catalog);
// The same of verify.against. Only a run asks that plugin anything, not a plan.
Status check_oracle_name(const RunConfig& config, const Catalog& catalog);

}  // namespace attnrt
