// What selection and planning cost. The budget: a cold decision over 100 plugins of 20 kernels
// under 50 us; alternatives and whole plans well under what a person notices.
#include "attnrt/select.hpp"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "attnrt/plan.hpp"

namespace attnrt {
namespace {

// Kernels as real manifests have them: several architectures, formats, head and block sizes.
KernelManifest kernel(int plugin, int index) {
  KernelManifest k;
  k.name = "kernel_" + std::to_string(index);
  constexpr DeviceKind kKinds[] = {DeviceKind::kCpu, DeviceKind::kCuda, DeviceKind::kCuda,
                                   DeviceKind::kRocm};
  k.device = kKinds[(plugin + index) % 4];
  if (k.device == DeviceKind::kCuda) k.sm = {80, 86, 89, 90, 100, 103};
  if (k.device == DeviceKind::kRocm) k.gfx = {"gfx942", "gfx950"};
  const Op ops[] = {Op::kAppend, Op::kPrefill, Op::kDecode, Op::kMixed};
  k.ops = {ops[index % 4]};
  k.q = {DType::kF16, DType::kBf16};
  k.kv = {Format::kF16, Format::kBf16, Format::kFp8E4m3};
  if (plugin % 3 == 0) k.kv.insert(Format::kInt8PerTokenHead);
  k.head_dim.pairs = {{64, 64}, {80, 80}, {96, 96}, {128, 128}, {192, 128}, {256, 256}};
  k.block_size.ranges = {{16, 16, 256}};
  k.layout = {Layout::kNhd, Layout::kHnd};
  k.group.ranges = {{1, 1, 16}};
  k.features = {Feature::kCausal, Feature::kWindow, Feature::kSoftcap, Feature::kLse};
  k.score = (plugin * 7 + index) % 100;
  return k;
}

Catalog catalog(int plugins, int kernels) {
  std::vector<CatalogEntry> entries;
  for (int p = 0; p < plugins; ++p) {
    CatalogEntry entry;
    entry.manifest.name = "plugin_" + std::to_string(p);
    entry.manifest.needs_cpu = {"avx2", "fma"};
    for (int k = 0; k < kernels; ++k) entry.manifest.kernels.push_back(kernel(p, k));
    entries.push_back(std::move(entry));
  }
  return Catalog(std::move(entries));
}

Request request(Format kv) {
  Request r;
  r.device = {.kind = DeviceKind::kCuda, .sm = 90};
  r.kv = kv;
  return r;
}

// Cold: nothing is kept from call to call, and the catalog's rows are out of the nearest caches.
void BM_ColdDecision(benchmark::State& state) {
  const Catalog c = catalog(static_cast<int>(state.range(0)), 20);
  const Request r = request(Format::kFp8E4m3);
  std::vector<char> other(static_cast<size_t>(state.range(1)) << 20);
  for (auto _ : state) {
    state.PauseTiming();
    for (size_t i = 0; i < other.size(); i += 64) benchmark::DoNotOptimize(++other[i]);
    state.ResumeTiming();
    benchmark::DoNotOptimize(select(r, c));
  }
}
BENCHMARK(BM_ColdDecision)
    ->Args({100, 0})
    ->Args({100, 4})
    ->Args({30, 4})
    ->ArgNames({"plugins", "flush_MiB"});

void BM_Alternatives(benchmark::State& state) {
  const Catalog c = catalog(static_cast<int>(state.range(0)), 5);
  const Request r = request(Format::kNvfp4Linear);
  for (auto _ : state) benchmark::DoNotOptimize(alternatives(r, c));
}
BENCHMARK(BM_Alternatives)->Arg(30)->Arg(100)->ArgNames({"plugins"})->Unit(benchmark::kMicrosecond);

// Five layers with a window to one without, as in Gemma 3; fp8, the windowed ones skipped.
ModelGeometry model(int64_t layers) {
  ModelGeometry m;
  m.name = "bench";
  for (int64_t i = 0; i < layers; ++i) {
    LayerGeometry g;
    g.q_heads = 32;
    g.kv_heads = 8;
    g.head_dim = {128, 128};
    g.window = i % 6 == 5 ? 0 : 1024;
    m.layers.push_back(g);
  }
  return m;
}

void BM_Plan(benchmark::State& state) {
  const Catalog c = catalog(30, 8);
  const ModelGeometry m = model(state.range(0));
  PlanOptions options;
  options.kv_cache.format = *parse_spelling("fp8");
  options.kv_cache.skip_layers = {*parse_layer_selector("sliding_window")};
  const Device device{.kind = DeviceKind::kCuda, .sm = 90};
  for (auto _ : state) {
    const Result<PlanOutcome> outcome = plan(m, device, options, c);
    if (!outcome.ok() || !outcome->plan) state.SkipWithError("no plan");
  }
}
BENCHMARK(BM_Plan)->Arg(32)->Arg(64)->ArgNames({"layers"})->Unit(benchmark::kMicrosecond);

void BM_PlanRefusal(benchmark::State& state) {
  const Catalog c = catalog(30, 8);
  const ModelGeometry m = model(32);
  PlanOptions options;
  options.kv_cache.format = *parse_spelling("nvfp4");
  const Device device{.kind = DeviceKind::kCuda, .sm = 120};
  for (auto _ : state) {
    const Result<PlanOutcome> outcome = plan(m, device, options, c);
    if (!outcome.ok() || outcome->plan) state.SkipWithError("a plan");
  }
}
BENCHMARK(BM_PlanRefusal)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace attnrt
