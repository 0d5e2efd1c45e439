#include <algorithm>
#include <numeric>

#include "attnrt/plugin.h"
#include "select/compiled.hpp"

namespace attnrt {
namespace {

template <class Set>
uint32_t index_of(std::vector<Set>& sets, const Set& set) {
  const auto at = std::find(sets.begin(), sets.end(), set);
  const auto index = static_cast<uint32_t>(at - sets.begin());
  if (at == sets.end()) sets.push_back(set);
  return index;
}

uint32_t sm_bits(const std::vector<int32_t>& sms) {
  uint32_t bits = 0;
  const std::vector<int32_t>& known = known_sms();
  for (size_t i = 0; i < known.size(); ++i) {
    if (std::find(sms.begin(), sms.end(), known[i]) != sms.end()) bits |= uint32_t{1} << i;
  }
  return bits;
}

uint32_t gfx_bits(const std::vector<std::string>& targets) {
  uint32_t bits = 0;
  const auto known = known_gfx();
  for (size_t i = 0; i < known.size(); ++i) {
    if (std::find(targets.begin(), targets.end(), known[i]) != targets.end()) {
      bits |= uint32_t{1} << i;
    }
  }
  return bits;
}

KernelRow compile(const KernelManifest& k, Catalog::Compiled& sets) {
  KernelRow row;
  row.features = k.features.bits();
  row.kv = static_cast<uint32_t>(k.kv.bits());
  row.sm = sm_bits(k.sm);
  row.gfx = gfx_bits(k.gfx);
  row.failed_always = k.unknown_keys.empty() ? 0 : bit(Rule::kUnknownKeys);
  row.max_query_tokens = k.max_query_tokens;
  row.score = k.score;
  row.device = k.device ? static_cast<uint8_t>(*k.device) : uint8_t{0};
  row.ops = static_cast<uint8_t>(k.ops.bits());
  row.q = static_cast<uint8_t>(k.q.bits());
  row.out = static_cast<uint8_t>(k.out.bits());
  row.cache = static_cast<uint8_t>(k.cache.bits());
  row.layout = static_cast<uint8_t>(k.layout.bits());
  row.tensors = static_cast<uint8_t>(k.tensors.bits());
  row.pages = static_cast<uint8_t>(k.pages.bits());
  row.alignment = k.alignment;
  row.head_dim = index_of(sets.head_dims, k.head_dim);
  row.block_size = index_of(sets.block_sizes, k.block_size);
  row.group = index_of(sets.groups, k.group);
  return row;
}

PluginRow compile(const CatalogEntry& entry) {
  PluginRow row;
  const auto known = known_cpu_features();
  for (const std::string& need : entry.manifest.needs_cpu) {
    if (std::find(known.begin(), known.end(), need) == known.end()) row.impossible_cpu = true;
  }
  row.needs_cpu = cpu_feature_bits(entry.manifest.needs_cpu);
  row.missing_libraries = !entry.missing_libraries.empty();
  row.has_code = entry.has_code;
  row.abi_known = entry.manifest.abi == ATTNRT_ABI_MAJOR;
  return row;
}

void rank_names(Catalog::Compiled& compiled) {
  std::vector<uint32_t> order(compiled.entries.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return compiled.entries[a].manifest.name < compiled.entries[b].manifest.name;
  });
  for (uint32_t rank = 0; rank < order.size(); ++rank) {
    compiled.plugins[order[rank]].name_rank = rank;
  }
}

}  // namespace

static_assert(kFormatCount <= 32, "KernelRow::kv holds a bit a format");

uint64_t cpu_feature_bits(const std::vector<std::string>& features) {
  uint64_t bits = 0;
  const auto known = known_cpu_features();
  for (size_t i = 0; i < known.size(); ++i) {
    if (std::find(features.begin(), features.end(), known[i]) != features.end()) {
      bits |= uint64_t{1} << i;
    }
  }
  return bits;
}

Catalog::Catalog(std::vector<CatalogEntry> entries) : compiled_(std::make_unique<Compiled>()) {
  compiled_->entries = std::move(entries);
  for (uint32_t p = 0; p < compiled_->entries.size(); ++p) {
    const CatalogEntry& entry = compiled_->entries[p];
    compiled_->plugins.push_back(compile(entry));
    for (uint32_t k = 0; k < entry.manifest.kernels.size(); ++k) {
      KernelRow row = compile(entry.manifest.kernels[k], *compiled_);
      row.plugin = p;
      row.kernel = k;
      compiled_->rows.push_back(row);
    }
  }
  rank_names(*compiled_);
}

Catalog::Catalog(Catalog&&) noexcept = default;
Catalog& Catalog::operator=(Catalog&&) noexcept = default;
Catalog::~Catalog() = default;

const std::vector<CatalogEntry>& Catalog::entries() const {
  return compiled_->entries;
}

}  // namespace attnrt
