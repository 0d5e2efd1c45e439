// Catalogs for tests, made without YAML.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "attnrt/plan.hpp"
#include "attnrt/select.hpp"

namespace attnrt::test {

// Serves everything that Request asks by default, for every op, on any CPU.
inline KernelManifest kernel(std::string name) {
  KernelManifest k;
  k.name = std::move(name);
  k.device = DeviceKind::kCpu;
  k.ops = {Op::kAppend, Op::kPrefill, Op::kDecode};
  k.q = {DType::kBf16};
  k.kv = {Format::kBf16};
  k.head_dim.pairs = {{128, 128}};
  k.block_size.values = {16};
  k.layout = {Layout::kNhd};
  k.group.values = {4};
  k.features = {Feature::kCausal};
  return k;
}

inline KernelManifest cuda_kernel(std::string name, std::vector<int32_t> sms) {
  KernelManifest k = kernel(std::move(name));
  k.device = DeviceKind::kCuda;
  k.sm = std::move(sms);
  return k;
}

inline CatalogEntry plugin(std::string name, std::vector<KernelManifest> kernels) {
  CatalogEntry entry;
  entry.manifest.name = std::move(name);
  entry.manifest.kernels = std::move(kernels);
  return entry;
}

inline Catalog catalog(std::vector<CatalogEntry> entries) {
  return Catalog(std::move(entries));
}

inline Device cpu(std::vector<std::string> features = {}) {
  return {.kind = DeviceKind::kCpu, .cpu_features = std::move(features)};
}
inline Device cuda(int32_t sm) {
  return {.kind = DeviceKind::kCuda, .sm = sm};
}

inline Request request() {
  Request r;
  r.device = cpu();
  return r;
}

// Full attention, as kernel() serves it.
inline LayerGeometry layer() {
  LayerGeometry g;
  g.q_heads = 32;
  g.kv_heads = 8;
  g.head_dim = {128, 128};
  return g;
}

inline ModelGeometry model(std::vector<LayerGeometry> layers) {
  ModelGeometry m;
  m.name = "test";
  m.layers = std::move(layers);
  return m;
}

}  // namespace attnrt::test
