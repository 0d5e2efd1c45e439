#include "tests/rules/catalog.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace attnrt::rules {

std::filesystem::path data_dir() {
  return std::filesystem::path(ATTNRT_SOURCE_DIR) / "tests" / "data";
}

std::vector<std::filesystem::path> yaml_files(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(data_dir() / folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  if (files.empty()) throw std::runtime_error("no *.yaml in " + (data_dir() / folder).string());
  std::sort(files.begin(), files.end());
  return files;
}

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("can't read " + file.string());
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Manifest read_manifest(const std::filesystem::path& file) {
  Result<Manifest> manifest = parse_manifest(read_text(file), file.string());
  if (!manifest) throw std::runtime_error(to_string(manifest.error()));
  return std::move(manifest).value();
}

const Catalog& todays_backends() {
  static const Catalog catalog = [] {
    std::vector<CatalogEntry> entries;
    for (const auto& file : yaml_files("manifests")) {
      entries.push_back(
          {.manifest = read_manifest(file), .missing_libraries = {}, .has_code = false});
    }
    return Catalog(std::move(entries));
  }();
  return catalog;
}

const Manifest& manifest_of(const std::string& plugin) {
  for (const CatalogEntry& entry : todays_backends().entries()) {
    if (entry.manifest.name == plugin) return entry.manifest;
  }
  throw std::runtime_error("no manifest named " + plugin);
}

}  // namespace attnrt::rules
