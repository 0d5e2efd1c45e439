// One kernel of a manifest: a box of explicit lists.
#pragma once

#include "attnrt/manifest.hpp"
#include "manifest/yaml.hpp"

namespace attnrt {

// Limits of what one manifest may say, against texts that are made to cost.
inline constexpr size_t kMaxKernels = 256;
inline constexpr size_t kMaxListValues = 512;
inline constexpr int32_t kMaxSize = 1 << 20;    // of a head, a block, a group
inline constexpr int32_t kMaxAlignment = 4096;  // bytes

KernelManifest read_kernel(YamlReader& reader, const YAML::Node& node);

// Names of plugins and kernels: letters, digits, '_', '-', '.', at most 64.
std::string read_name(YamlReader& reader, const YAML::Node& node, std::string_view what);
// A list of texts; may be empty.
std::vector<std::string> read_texts(YamlReader& reader, const YAML::Node& node,
                                    std::string_view what);
// {multiple_of, min, max} or a list of values and such ranges. Unknown keys of a range go to
// `unknown_keys`: they may be restrictions.
IntSet read_int_set(YamlReader& reader, const YAML::Node& node, std::string_view what,
                    std::vector<std::string>& unknown_keys);
HeadDimSet read_head_dims(YamlReader& reader, const YAML::Node& node,
                          std::vector<std::string>& unknown_keys);

}  // namespace attnrt
