// The cpu kernels' other hot loops, each on every instruction set of this CPU, one thread, in
// cache: append (values stored a second, K and V), decode_row, exp, tanh (values a second), and
// merge (partial results read, bytes a second). Attention itself: cpu_attention.cpp.
#include <benchmark/benchmark.h>

#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "kernels/cpu/isa.hpp"

namespace attnrt::cpu {
namespace {

struct Stored {
  Format format;
  const char* name;
  int32_t heads, dim_qk, dim_v;  // dim_v 0: a latent row
  int32_t row_bytes;
  bool decodes;  // by decode_row
};

constexpr Stored kStored[] = {
    {Format::kF32, "f32", 8, 128, 128, 512, true},
    {Format::kF16, "f16", 8, 128, 128, 256, true},
    {Format::kBf16, "bf16", 8, 128, 128, 256, true},
    {Format::kE4m3, "fp8_e4m3", 8, 128, 128, 128, true},
    {Format::kE5m2, "fp8_e5m2", 8, 128, 128, 128, true},
    {Format::kE4m3Fnuz, "fp8_e4m3fnuz", 8, 128, 128, 128, true},
    {Format::kInt8, "int8_per_token_head", 8, 128, 128, 128, true},
    {Format::kFp8Row, "fp8_per_token_head", 8, 128, 128, 128, true},
    {Format::kInt4, "int4_per_token_head", 8, 128, 128, 64, false},
    {Format::kNvfp4, "nvfp4_linear", 8, 128, 128, 64, false},
    {Format::kNvfp4Swizzled, "nvfp4_swizzled", 8, 128, 128, 64, false},
    {Format::kDsMlaV32, "fp8_ds_mla_v32", 1, 576, 0, 656, false},
    {Format::kDsMlaV4, "fp8_ds_mla_v4", 1, 512, 0, 576, false},
    {Format::kDsMlaV41, "fp8_ds_mla_v41", 1, 512, 0, 576, false},
};
constexpr int32_t kTokens = 64;
constexpr int32_t kBlock = 16;
constexpr int32_t kScaleBytes = 64;  // of a row, at least

std::vector<float> normal_values(size_t n) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& x : values) x = normal(random);
  return values;
}

std::vector<uint16_t> bf16_values(size_t n) {
  std::vector<uint16_t> values;
  for (const float x : normal_values(n)) {
    uint32_t bits;
    static_assert(sizeof bits == sizeof x);
    __builtin_memcpy(&bits, &x, sizeof x);
    values.push_back(static_cast<uint16_t>(bits >> 16));
  }
  return values;
}

void append(benchmark::State& state, const KernelTable& kernels, const Stored& s) {
  const int64_t rows = int64_t{kTokens} * s.heads;
  std::vector<uint16_t> k = bf16_values(static_cast<size_t>(rows * s.dim_qk));
  std::vector<uint16_t> v = bf16_values(static_cast<size_t>(rows * s.dim_v));
  std::vector<uint8_t> pages(static_cast<size_t>(2 * rows * s.row_bytes));
  std::vector<uint8_t> scales(static_cast<size_t>(2 * rows * kScaleBytes));
  std::vector<int64_t> slots;
  for (int64_t t = 0; t < kTokens; ++t) slots.push_back((t * 37 + 5) % kTokens);
  const float one = 1.0F;
  const auto side = [&](int64_t which) {
    const int64_t row = s.row_bytes;
    return SideView{pages.data() + which * rows * row,
                    kBlock * s.heads * row,
                    s.heads * row,
                    row,
                    scales.data() + which * rows * kScaleBytes,
                    int64_t{kBlock} * s.heads * kScaleBytes,
                    int64_t{s.heads} * kScaleBytes,
                    kScaleBytes};
  };
  const auto dense = [&](std::vector<uint16_t>& x, int64_t dim) {
    return DenseView{reinterpret_cast<uint8_t*>(x.data()), 2 * s.heads * dim, 2 * dim,
                     Dtype::kBf16};
  };
  AppendParams p{};
  p.format = s.format;
  p.dtype = Dtype::kBf16;
  p.kv_heads = s.heads;
  p.dim_qk = s.dim_qk;
  p.dim_v = s.dim_v;
  p.block_size = kBlock;
  p.k = dense(k, s.dim_qk);
  p.v = dense(v, s.dim_v);
  p.k_side = side(0);
  p.v_side = side(1);
  p.k_scale = p.v_scale = {&one, 1};
  p.slots = slots.data();
  for (auto _ : state) benchmark::DoNotOptimize(kernels.append(p, 0, kTokens));
  state.SetItemsProcessed(state.iterations() * rows * (s.dim_qk + s.dim_v));
}

void decode_row(benchmark::State& state, const KernelTable& kernels, const Stored& s) {
  constexpr int32_t kValues = 1024;
  std::vector<uint8_t> row(4 * kValues, 0x35);
  std::vector<float> out(kValues);
  for (auto _ : state) {
    kernels.decode_row(s.format, row.data(), kValues, out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * kValues);
}

void map(benchmark::State& state, MapFunction function) {
  constexpr int64_t kValues = 4096;
  std::vector<float> in = normal_values(kValues);
  std::vector<float> out(kValues);
  for (float& x : in) x = -std::abs(x) * 8.0F;  // as scores less their maximum
  for (auto _ : state) {
    function(in.data(), out.data(), kValues);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * kValues);
}

void merge(benchmark::State& state, const KernelTable& kernels, int32_t parts) {
  constexpr int32_t kHeads = 32;
  constexpr int32_t kDim = 128;
  constexpr int64_t kRows = 4;
  const auto count = static_cast<size_t>(kRows * kHeads * kDim);
  std::vector<std::vector<float>> outs(static_cast<size_t>(parts), normal_values(count));
  std::vector<std::vector<float>> lses(static_cast<size_t>(parts),
                                       normal_values(static_cast<size_t>(kRows * kHeads)));
  std::vector<DenseView> part_out;
  std::vector<DenseView> part_lse;
  const auto dense = [](std::vector<float>& x, int64_t width) {
    return DenseView{reinterpret_cast<uint8_t*>(x.data()), 4 * kHeads * width, 4 * width,
                     Dtype::kF32};
  };
  for (auto& x : outs) part_out.push_back(dense(x, kDim));
  for (auto& x : lses) part_lse.push_back(dense(x, 1));
  std::vector<float> out(count);
  MergeParams p{};
  p.parts = parts;
  p.heads = kHeads;
  p.dim = kDim;
  p.part_out = part_out.data();
  p.part_lse = part_lse.data();
  p.out = dense(out, kDim);
  for (auto _ : state) {
    kernels.merge(p, 0, kRows);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * parts * static_cast<int64_t>(count) * 4);
}

void add(const std::string& name, std::function<void(benchmark::State&)> body) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(body));
}

void add_set(const Isa& isa) {
  const std::string set = std::string(isa.name) + "/";
  const KernelTable& kernels = isa.table();
  for (const Stored& s : kStored) {
    add(set + "append/" + s.name, [&](benchmark::State& state) { append(state, kernels, s); });
    if (!s.decodes) continue;
    add(set + "decode_row/" + s.name,
        [&](benchmark::State& state) { decode_row(state, kernels, s); });
  }
  add(set + "exp", [&](benchmark::State& state) { map(state, kernels.exp); });
  if (kernels.exp2 != nullptr) {
    add(set + "exp2", [&](benchmark::State& state) { map(state, kernels.exp2); });
  }
  add(set + "tanh", [&](benchmark::State& state) { map(state, kernels.tanh); });
  for (const int32_t parts : {2, 8}) {
    add(set + "merge/" + std::to_string(parts),
        [&kernels, parts](benchmark::State& state) { merge(state, kernels, parts); });
  }
}

const bool kRegistered = [] {
  for (const Isa& isa : instruction_sets()) {
    if (isa.available) add_set(isa);
  }
  return true;
}();

}  // namespace
}  // namespace attnrt::cpu
