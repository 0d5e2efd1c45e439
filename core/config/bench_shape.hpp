// A benchmark's shape from named texts, whatever file they came from.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attnrt/bench.hpp"
#include "config/reader.hpp"

namespace attnrt::config {

// A field of a shape: the column's name, its text and place.
struct ShapeField {
  std::string key;
  std::string text;
  Position at;
};

// The columns that a shape must have, and those that it may have.
std::span<const std::string_view> shape_columns();
std::span<const std::string_view> optional_shape_columns();
std::vector<std::string_view> all_shape_columns();
bool is_shape_column(std::string_view key);

// Fields hold each needed column once. Problems go into the scope.
BenchShape read_shape(const std::vector<ShapeField>& fields, Position at, Scope& scope);

// Names stand for shapes in every report, so a second shape of one name is a problem.
void add_shape(BenchShape shape, Position at, Scope& scope, std::vector<BenchShape>& shapes);

}  // namespace attnrt::config
