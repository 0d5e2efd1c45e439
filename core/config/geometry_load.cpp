#include <filesystem>

#include "attnrt/geometry.hpp"
#include "config/builtin.hpp"
#include "config/files.hpp"
#include "format/nearest.hpp"

namespace attnrt {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool looks_like_a_path(const std::string& text) {
  const std::string extension = fs::path(text).extension().string();
  return text.find('/') != std::string::npos || extension == ".yaml" || extension == ".yml" ||
         extension == ".json";
}

Result<ModelGeometry> load_file(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return load_file((fs::path(path) / "config.json").string());
  Result<std::string> text =
      config::read_file(path, "a model's geometry", config::kMaxGeometryBytes);
  if (!text.ok()) return std::move(text).error();
  const fs::path file(path);
  if (file.extension() != ".json") return parse_geometry(*text, path);
  // A config.json is named after its folder, as downloads are.
  const std::string folder = fs::absolute(file, ignored).parent_path().filename().string();
  const std::string name = file.filename() == "config.json" ? folder : file.stem().string();
  return parse_hf_config(*text, path, name);
}

}  // namespace

Result<ModelGeometry> load_geometry(const std::string& name_or_path,
                                    const std::vector<std::string>& folders) {
  if (looks_like_a_path(name_or_path)) return load_file(name_or_path);
  for (const std::string& folder : folders) {
    const fs::path file = fs::path(folder) / (name_or_path + ".yaml");
    if (is_file(file)) return load_file(file.string());
  }
  std::vector<std::string_view> names;
  for (const config::BuiltinModel& model : config::builtin_models()) {
    names.push_back(model.name);
    if (model.name == name_or_path) {
      return parse_geometry(model.yaml, "configs/models/" + name_or_path + ".yaml");
    }
  }
  Error error = unknown_name("a model's geometry", name_or_path, names);
  error.remedy += "; or give the path of a geometry or of a Hugging Face config.json";
  return error;
}

std::vector<std::string> builtin_geometries() {
  std::vector<std::string> names;
  for (const config::BuiltinModel& model : config::builtin_models()) names.emplace_back(model.name);
  return names;
}

}  // namespace attnrt
