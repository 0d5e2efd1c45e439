// The whole of a manifest.
#include "attnrt/manifest.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "format/nearest.hpp"
#include "manifest/kernel.hpp"
#include "manifest/yaml.hpp"

namespace attnrt {
namespace {

constexpr int32_t kManifestVersion = 1;

void warn_unknown(YamlReader& reader, const YamlReader::Entry& entry, std::string_view where) {
  if (entry.key.starts_with("x-")) return;
  reader.warn(entry.key_node,
              "unknown key " + in_quotes(entry.key) + " in " + std::string(where) + " is ignored");
}

void require(YamlReader& reader, const YAML::Node& node, const std::set<std::string>& seen,
             std::initializer_list<const char*> keys, const std::string& where) {
  for (const char* key : keys) {
    if (!seen.contains(key)) {
      reader.fail(node, "the key '" + std::string(key) + "' in " + where, "none", "add it");
    }
  }
}

void read_plugin(YamlReader& reader, const YAML::Node& node, Manifest& manifest) {
  const std::map<std::string, std::string*> fields{{"version", &manifest.version},
                                                   {"vendor", &manifest.vendor},
                                                   {"license", &manifest.license},
                                                   {"description", &manifest.description}};
  std::set<std::string> seen;
  for (const YamlReader::Entry& entry : reader.map(node, "plugin")) {
    seen.insert(entry.key);
    const auto field = fields.find(entry.key);
    if (entry.key == "name") {
      manifest.name = read_name(reader, entry.value, "a plugin's name");
    } else if (field != fields.end()) {
      *field->second = reader.text(entry.value, "plugin." + entry.key);
    } else {
      warn_unknown(reader, entry, "plugin");
    }
  }
  require(reader, node, seen, {"name", "version", "vendor", "license", "description"}, "plugin");
}

void read_needs(YamlReader& reader, const YAML::Node& node, Manifest& manifest) {
  for (const YamlReader::Entry& entry : reader.map(node, "needs")) {
    if (entry.key == "cpu") {
      manifest.needs_cpu = read_texts(reader, entry.value, "needs.cpu");
    } else if (entry.key == "libraries") {
      manifest.needs_libraries = read_texts(reader, entry.value, "needs.libraries");
    } else {
      warn_unknown(reader, entry, "needs");
    }
  }
  const auto known = known_cpu_features();
  for (const std::string& feature : manifest.needs_cpu) {
    if (std::find(known.begin(), known.end(), feature) != known.end()) continue;
    reader.warn(node, "unknown CPU feature " + in_quotes(feature) + ": no CPU is known to have it");
  }
}

void read_kernels(YamlReader& reader, const YAML::Node& node, Manifest& manifest) {
  const std::vector<YAML::Node> nodes = reader.list(node, "kernels");
  if (reader.ok() && (nodes.empty() || nodes.size() > kMaxKernels)) {
    reader.fail(node, "1 to " + std::to_string(kMaxKernels) + " kernels",
                std::to_string(nodes.size()));
  }
  std::set<std::string> names;
  for (const YAML::Node& kernel : nodes) {
    if (!reader.ok()) return;
    manifest.kernels.push_back(read_kernel(reader, kernel));
    const std::string& name = manifest.kernels.back().name;
    if (reader.ok() && !names.insert(name).second) {
      reader.fail(kernel, "a name of its own for every kernel", in_quotes(name) + " a second time");
    }
  }
}

void read_version(YamlReader& reader, const YAML::Node& node) {
  const int32_t version = reader.integer(node, "attnrt_manifest", 1, 1000000);
  if (reader.ok() && version != kManifestVersion) {
    reader.fail(node, "attnrt_manifest: " + std::to_string(kManifestVersion),
                std::to_string(version), "use a version of attnrt that reads it");
  }
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view text, std::string_view origin) {
  Result<YAML::Node> root = load_yaml(text, origin);
  if (!root) return std::move(root).error();
  Manifest manifest;
  manifest.origin = origin;
  YamlReader reader(origin);
  std::set<std::string> seen;
  const std::vector<YamlReader::Entry> entries = reader.map(*root, "a manifest");
  // The version decides how everything else is read, wherever it stands.
  for (const YamlReader::Entry& entry : entries) {
    if (entry.key == "attnrt_manifest") read_version(reader, entry.value);
  }
  for (const YamlReader::Entry& entry : entries) {
    seen.insert(entry.key);
    if (entry.key == "plugin") {
      read_plugin(reader, entry.value, manifest);
    } else if (entry.key == "abi") {
      manifest.abi = reader.integer(entry.value, "abi", 1, 1000000);
    } else if (entry.key == "needs") {
      read_needs(reader, entry.value, manifest);
    } else if (entry.key == "kernels") {
      read_kernels(reader, entry.value, manifest);
    } else if (entry.key != "attnrt_manifest") {
      warn_unknown(reader, entry, "a manifest");
    }
  }
  require(reader, *root, seen, {"attnrt_manifest", "plugin", "abi", "kernels"}, "a manifest");
  if (!reader.ok()) return *reader.error();
  manifest.warnings = std::move(reader.warnings());
  return manifest;
}

}  // namespace attnrt
