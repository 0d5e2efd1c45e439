#include "config/files.hpp"
#include "config/geometry_yaml.hpp"
#include "config/sections.hpp"

namespace attnrt::config {
namespace {

bool is_path(const std::string& text) {
  return text.find('/') != std::string::npos || text.ends_with(".yaml") || text.ends_with(".yml") ||
         text.ends_with(".json");
}

ModelGeometry named_geometry(const Tree& value, Scope& scope, const Surroundings& around) {
  const auto text = as_text(value, scope, "a geometry's name or file");
  if (!text) return {};
  const Result<std::string> wanted = is_path(*text) ? resolve_path(*text, around.folder) : *text;
  if (!wanted.ok()) {
    scope.fail(value.at, wanted.error());
    return {};
  }
  Result<ModelGeometry> model = load_geometry(*wanted, {around.folder + "/models"});
  if (model.ok()) return *std::move(model);
  // Trouble inside the geometry's own file keeps its place there, and says who asked for it.
  Error error = std::move(model).error();
  if (!error.where.empty()) error.found += " (in " + error.where + ")";
  scope.fail(value.at, std::move(error));
  return {};
}

}  // namespace

ModelGeometry read_model(const Tree* section, Scope& scope, const Surroundings& around) {
  if (section == nullptr) {
    scope.fail({1, 1}, "a model: model: {geometry: NAME}", "none");
    return {};
  }
  if (section->kind == Tree::Kind::kScalar) return named_geometry(*section, scope, around);
  Reader reader(*section, scope, "model");
  reader.allow(kGeometryKeys, {"geometry", "first_layers"});
  ModelGeometry model;
  if (const Tree* geometry = reader.get("geometry")) {
    model = named_geometry(*geometry, scope, around);
    if (auto name = reader.text("name", "the model's name")) model.name = *name;
    if (const Tree* value = reader.get("dtype")) {
      Result<DType> dtype = parse_dtype(value->text);
      if (dtype.ok()) model.dtype = *dtype;
      if (!dtype.ok()) scope.fail(value->at, std::move(dtype).error());
    }
  } else {
    model = read_geometry(reader);
    if (model.name.empty()) model.name = "model";
  }
  const auto first = reader.integer("first_layers", 1, kMaxLayers);
  reader.finish();
  if (first && !scope.failed()) {
    if (size_t(*first) > model.layers.size()) {
      scope.fail(section->find("first_layers")->at,
                 "at most the model's " + std::to_string(model.layers.size()) + " layers",
                 std::to_string(*first));
    }
    model.layers.resize(std::min(size_t(*first), model.layers.size()));
  }
  return model;
}

}  // namespace attnrt::config
