// Where a session gets its plugins from: the registry, or tables of this process (tests,
// benchmarks).
#pragma once

#include <cstddef>
#include <cstdint>

#include "attnrt/load.hpp"
#include "attnrt/plugin.h"

namespace attnrt::runtime {

class PluginSource {
 public:
  virtual ~PluginSource() = default;
  virtual const Catalog& catalog() const = 0;
  virtual Result<LoadedPlugin> load(uint32_t plugin) const = 0;
};

class RegistrySource final : public PluginSource {
 public:
  explicit RegistrySource(const PluginRegistry& registry) : registry_(registry) {}
  const Catalog& catalog() const override { return registry_.catalog(); }
  Result<LoadedPlugin> load(uint32_t plugin) const override { return registry_.load(plugin); }

 private:
  const PluginRegistry& registry_;
};

// A function of a growable table; null where the plugin's table ends before it.
template <class Table, class Function>
Function function_of(const Table* table, Function Table::*member) {
  const auto* begin = reinterpret_cast<const char*>(table);
  const auto* field = reinterpret_cast<const char*>(&(table->*member));
  const auto end = static_cast<size_t>(field - begin) + sizeof(Function);
  return end <= table->struct_size ? table->*member : nullptr;
}

}  // namespace attnrt::runtime
