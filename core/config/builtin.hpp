// The geometries of configs/models/, compiled into the library (generated: builtin_models.cpp).
#pragma once

#include <span>
#include <string_view>

namespace attnrt::config {

struct BuiltinModel {
  std::string_view name;  // the file's, without .yaml
  std::string_view yaml;
};
std::span<const BuiltinModel> builtin_models();  // sorted by name

}  // namespace attnrt::config
