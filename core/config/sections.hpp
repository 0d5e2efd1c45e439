// The sections of a run, each read from its own mapping. Problems go into the reader's scope.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attnrt/config.hpp"
#include "config/reader.hpp"

namespace attnrt::config {

// What every section may need to know.
struct Surroundings {
  std::string folder;  // of the configuration
  const ConfigContext& context;
};

ModelGeometry read_model(const Tree* section, Scope& scope, const Surroundings& around);
void read_plugins(const Tree* section, Scope& scope, const Surroundings& around, RunConfig& run);
Workload read_workload(const Tree* section, Scope& scope, const Surroundings& around);
std::optional<VerifyConfig> read_verify(const Tree* section, Scope& scope);
void read_request(const Tree* section, Scope& scope, RunConfig& run);
ReportConfig read_report(const Tree* section, Scope& scope);

// The run's cache, but for the format: `formats` are all that kv_cache.format lists.
void read_kv_cache(const Tree* section, Scope& scope, RunConfig& run,
                   std::vector<Spelling>& formats);

// Every path of a key that holds one path or a list of them, resolved.
std::optional<std::vector<std::string>> read_paths(Reader& reader, std::string_view key,
                                                   const Surroundings& around);

}  // namespace attnrt::config
