// Our own description of a model's layers, as a file of configs/models/ or written into a run.
#pragma once

#include <array>
#include <string_view>

#include "attnrt/geometry.hpp"
#include "config/reader.hpp"

namespace attnrt::config {

inline constexpr std::array<std::string_view, 5> kGeometryKeys{"name", "dtype", "ds_mla", "layer",
                                                               "layers"};
// Reads kGeometryKeys from a mapping whose other keys are the caller's.
ModelGeometry read_geometry(Reader& reader);

// The key head_dim: N, or [N of q and k, N of v]. Empty: absent, or a problem.
std::optional<HeadDim> read_head_dim(Reader& reader);

// Layers that no model can have are an error, with `at` as its place.
void check_layer(const LayerGeometry& layer, Position at, Scope& scope);

inline constexpr int32_t kMaxLayers = 4096;

}  // namespace attnrt::config
