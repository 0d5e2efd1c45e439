// Model geometries: what attention of a model's layers looks like, from one of three sources:
// a name (the geometries of configs/models/, which are built into the library), our own YAML, or a
// Hugging Face config.json. Errors carry file:line:column. Thread-safe; files are only read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "attnrt/plan.hpp"
#include "attnrt/result.hpp"

namespace attnrt {

// A path (a *.yaml, *.yml or *.json file, or a folder that holds config.json) or a built-in name.
// Names are first looked for as NAME.yaml in `folders`. Unknown names: the known ones and the
// nearest.
Result<ModelGeometry> load_geometry(const std::string& name_or_path,
                                    const std::vector<std::string>& folders = {});

// Our YAML. `origin` names the text in errors.
Result<ModelGeometry> parse_geometry(std::string_view yaml, std::string_view origin);

// A Hugging Face config.json. Unknown architectures and contradictory values are errors. `name` is
// the geometry's; empty: the file's _name_or_path or its model_type.
Result<ModelGeometry> parse_hf_config(std::string_view json, std::string_view origin,
                                      std::string_view name = "");

// Names that load_geometry knows without any file, sorted.
std::vector<std::string> builtin_geometries();

// Architectures that parse_hf_config reads, sorted, e.g. "LlamaForCausalLM".
std::vector<std::string> known_architectures();

}  // namespace attnrt
