// A catalog as flat rows of bit masks: a decision reads each kernel once, without touching a
// string.
#pragma once

#include <cstdint>
#include <vector>

#include "attnrt/select.hpp"

namespace attnrt {

constexpr uint32_t bit(Rule rule) {
  return uint32_t{1} << static_cast<unsigned>(rule);
}
inline constexpr int kRuleCount = 21;

struct KernelRow {
  uint64_t features = 0;
  uint32_t kv = 0;   // bits of Format
  uint32_t sm = 0;   // bits of known_sms()
  uint32_t gfx = 0;  // bits of known_gfx()
  uint32_t plugin = 0;
  uint32_t kernel = 0;
  uint32_t failed_always = 0;  // unknown keys
  int32_t max_query_tokens = 1;
  int32_t score = 0;
  uint8_t device = 0;   // DeviceKind; 0: of a later version
  uint8_t ops = 0;      // bits of Op
  uint8_t q = 0;        // bits of DType
  uint8_t out = 0;      // bits of DType; 0: as q
  uint8_t cache = 0;    // bits of CacheKind
  uint8_t layout = 0;   // bits of Layout
  uint8_t tensors = 0;  // bits of Strides
  uint8_t pages = 0;    // bits of Strides
  int32_t alignment = 1;
  // Indices of Compiled's sets. Manifests repeat themselves, so there are few distinct ones, and a
  // request is put to each set once instead of to each kernel.
  uint32_t head_dim = 0;
  uint32_t block_size = 0;
  uint32_t group = 0;
};

struct PluginRow {
  uint64_t needs_cpu = 0;       // bits of known_cpu_features()
  bool impossible_cpu = false;  // needs a feature that nobody knows
  bool missing_libraries = false;
  bool has_code = true;
  bool abi_known = true;
  uint32_t name_rank = 0;  // order of the plugins' names
};

struct Catalog::Compiled {
  std::vector<CatalogEntry> entries;
  std::vector<PluginRow> plugins;
  std::vector<KernelRow> rows;  // catalog order
  std::vector<HeadDimSet> head_dims;
  std::vector<IntSet> block_sizes;
  std::vector<IntSet> groups;

  const KernelManifest& kernel(const Candidate& c) const {
    return entries[c.plugin].manifest.kernels[c.kernel];
  }
};

// Bits of the features that both the device and this version know.
uint64_t cpu_feature_bits(const std::vector<std::string>& features);

}  // namespace attnrt
