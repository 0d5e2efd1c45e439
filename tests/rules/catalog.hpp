// The bare manifests of tests/data/manifests as a catalog: today's backends, without any code.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "attnrt/manifest.hpp"
#include "attnrt/select.hpp"

namespace attnrt::rules {

std::filesystem::path data_dir();
// *.yaml of tests/data/<folder>, sorted by name. Throws if there is none.
std::vector<std::filesystem::path> yaml_files(const std::string& folder);
std::string read_text(const std::filesystem::path& file);
// Throws std::runtime_error with the parser's own words.
Manifest read_manifest(const std::filesystem::path& file);
// All of them; read once, shared by all tests.
const Catalog& todays_backends();
const Manifest& manifest_of(const std::string& plugin);

}  // namespace attnrt::rules
