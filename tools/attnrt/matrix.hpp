// The support matrix: what the manifests say, as tables. Nothing here is written by hand.
#pragma once

#include <string>
#include <vector>

#include "attnrt/json.hpp"
#include "attnrt/manifest.hpp"

namespace attnrt::command {

// A kernel's box as cells of text, in the order of kMatrixHeader.
std::vector<std::string> matrix_row(const Manifest& manifest, const KernelManifest& kernel);
inline const std::vector<std::string> kMatrixHeader{
    "plugin",   "kernel",     "device", "op",    "q",        "kv",      "cache",
    "head_dim", "block_size", "layout", "group", "features", "strides", "score"};

// Which plugins attend over a format: a row a format that any kernel lists, a cell a kind of device
// ("flash_attn 90, 100, 103"), "" where there is none.
struct FormatRow {
  std::string format;
  std::vector<std::string> cells;
};
struct FormatTable {
  std::vector<DeviceKind> devices;  // that any kernel is for
  std::vector<FormatRow> rows;
  std::vector<std::string> header() const;
};
FormatTable format_table(const std::vector<Manifest>& manifests);

std::string matrix_markdown(const std::vector<Manifest>& manifests);
std::string matrix_html(const std::vector<Manifest>& manifests);
Json matrix_json(const std::vector<Manifest>& manifests);

}  // namespace attnrt::command
