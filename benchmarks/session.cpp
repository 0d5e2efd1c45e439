// What a session costs on top of a plugin: a null plugin that does nothing is called through it.
//
// The budget: finding the op that the plan chose for (layer, op), an index into a flat table, and
// the call into the plugin take less than 100 ns together. Checked mode is on unless the name says
// unchecked; `begin` holds its checks of the batch and the schedule.
#include "attnrt/session.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "run/session_impl.hpp"

namespace {

using namespace attnrt;  // NOLINT(google-build-using-namespace): one benchmark file

constexpr const char* kManifest = R"(
attnrt_manifest: 1
plugin: {name: "null", version: 1.0.0, vendor: test, license: Apache-2.0, description: does nothing}
abi: 1
kernels:
  - name: nothing
    device: cpu
    op: [append, prefill, decode, mixed]
    q: [bf16]
    kv: [bf16]
    head_dim: [128]
    block_size: [16]
    layout: [nhd]
    group: {max: 8}
    features: [causal]
)";

char handle;  // what every opaque pointer of the null plugin points at

template <class T>
attnrt_status give(T** out) {
  *out = reinterpret_cast<T*>(&handle);
  return ATTNRT_OK;
}

const attnrt_plugin* null_plugin() {
  static const attnrt_plugin kTable = [] {
    attnrt_plugin t{};
    t.struct_size = sizeof t;
    t.open = [](const attnrt_host*, const attnrt_device*, attnrt_instance** out, attnrt_error*) {
      return give(out);
    };
    t.close = [](attnrt_instance*) {};
    t.prepare = [](attnrt_instance*, const char*, const attnrt_layer_class*, attnrt_op** out,
                   attnrt_error*) { return give(out); };
    t.release_op = [](attnrt_op*) {};
    t.workspace = [](attnrt_op*, const attnrt_bounds*, attnrt_workspace_sizes*,
                     attnrt_error*) -> attnrt_status { return ATTNRT_OK; };
    t.schedule = [](attnrt_op*, const attnrt_batch*, const attnrt_workspace*, void*,
                    attnrt_schedule** out, attnrt_error*) { return give(out); };
    t.release_schedule = [](attnrt_schedule*) {};
    t.append = [](attnrt_op*, const attnrt_append_args* args, attnrt_error*) -> attnrt_status {
      benchmark::DoNotOptimize(args->tokens);
      return ATTNRT_OK;
    };
    t.attend = [](attnrt_op*, attnrt_schedule*, const attnrt_attend_args* args,
                  attnrt_error*) -> attnrt_status {
      benchmark::DoNotOptimize(args->q.data);
      return ATTNRT_OK;
    };
    return t;
  }();
  return &kTable;
}

class NullSource final : public runtime::PluginSource {
 public:
  NullSource() : catalog_(entries()) {}
  const Catalog& catalog() const override { return catalog_; }
  Result<LoadedPlugin> load(uint32_t) const override {
    return LoadedPlugin{null_plugin(), "null", "null.so"};
  }

 private:
  static std::vector<CatalogEntry> entries() {
    std::vector<CatalogEntry> list;
    Result<Manifest> manifest = parse_manifest(kManifest, "null");
    if (!manifest) {
      std::fprintf(stderr, "%s\n", to_string(manifest.error()).c_str());
      std::exit(1);
    }
    list.push_back({std::move(*manifest), {}, true});
    return list;
  }
  Catalog catalog_;
};

template <class T>
T or_exit(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s\n", to_string(result.error()).c_str());
  std::exit(1);
}

// A Llama-like model of 32 layers over the null plugin, and a decode batch.
struct Fixture {
  Fixture(Checked checked, int32_t sequences, int32_t kv_len)
      : pool(pool_layout({PoolGroup{1, 64, 0, 0, 0}}), int64_t{sequences} * (kv_len / 16 + 1)),
        tables(pool, 0, 16),
        session(open(checked, sequences, kv_len, pool.blocks(0))) {
    q_start.push_back(0);
    std::vector<int32_t> ids;
    std::vector<BlockPair> copies;
    for (int32_t s = 0; s < sequences; ++s) {
      ids.push_back(tables.add());
      std::vector<int64_t> all;
      or_exit(tables.extend(ids.back(), kv_len, all, copies));
      slots.push_back(all.back());
      q_start.push_back(s + 1);
      kv_lens.push_back(kv_len);
    }
    batch.struct_size = sizeof batch;
    batch.sequences = batch.tokens = sequences;
    batch.max_q_len = 1;
    batch.max_kv_len = kv_len;
    batch.block_table_stride = tables.table(ids, table);
    batch.q_start = {q_start.data(), q_start.data()};
    batch.kv_len = {kv_lens.data(), kv_lens.data()};
    batch.block_table = {table.data(), table.data()};
    batch.slot_mapping = {slots.data(), slots.data()};
    data.resize(static_cast<size_t>(sequences) * 32 * 128);
    q = make_tensor(data.data(), DType::kBf16, {sequences, 32, 128});
    k = make_tensor(data.data(), DType::kBf16, {sequences, 8, 128});
  }

  // Over views as an engine gives them: the null plugin touches no cache, so none is allocated.
  static Session open(Checked checked, int32_t sequences, int32_t kv_len, int64_t blocks) {
    static const NullSource kSource;
    ModelGeometry model;
    model.layers.assign(32, LayerGeometry{32, 8, {128, 128}});
    PlanOutcome outcome = or_exit(plan(model, Device{}, PlanOptions{}, kSource.catalog()));
    if (!outcome.plan) std::exit(1);
    SessionOptions options;
    options.checked = checked;
    options.max_sequences = options.max_tokens = sequences;
    options.max_kv_len = kv_len;
    Result<PageLayout> page = page_layout(outcome.plan->groups[0].page, Layout::kNhd);
    options.views.assign(32, cache_view(or_exit(page), &handle, 65536, blocks));
    return or_exit(runtime::open_session(std::move(*outcome.plan), kSource, std::move(options)));
  }

  BlockPool pool;
  BlockTables tables;
  Session session;
  std::vector<int32_t> q_start, kv_lens, table;
  std::vector<int64_t> slots;
  std::vector<uint16_t> data;
  attnrt_batch batch{};
  TensorView q{}, k{};
};

void attend(benchmark::State& state, Checked checked) {
  Fixture f(checked, 4, 128);
  Step step = or_exit(f.session.begin({&f.batch, 1}));
  int32_t layer = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(step.attend(layer, f.q, f.q).ok());
    layer = (layer + 1) % 32;
  }
}
BENCHMARK_CAPTURE(attend, checked, Checked::kOn);
BENCHMARK_CAPTURE(attend, unchecked, Checked::kOff);

void append(benchmark::State& state, Checked checked) {
  Fixture f(checked, 4, 128);
  Step step = or_exit(f.session.begin({&f.batch, 1}));
  int32_t layer = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(step.append(layer, f.k, f.k).ok());
    layer = (layer + 1) % 32;
  }
}
BENCHMARK_CAPTURE(append, checked, Checked::kOn);
BENCHMARK_CAPTURE(append, unchecked, Checked::kOff);

// The plugin's function called directly, with arguments that stand ready: what the session adds is
// the difference.
void direct_call(benchmark::State& state) {
  const attnrt_plugin* table = null_plugin();
  benchmark::DoNotOptimize(table);
  attnrt_attend_args args{};
  attnrt_error error{};
  for (auto _ : state) {
    benchmark::DoNotOptimize(table->attend(nullptr, nullptr, &args, &error));
  }
}
BENCHMARK(direct_call);

// A step's beginning: the checks of a decode batch, its schedule, and its end.
void begin(benchmark::State& state, Checked checked) {
  Fixture f(checked, static_cast<int32_t>(state.range(0)), static_cast<int32_t>(state.range(1)));
  for (auto _ : state) {
    Result<Step> step = f.session.begin({&f.batch, 1});
    benchmark::DoNotOptimize(step.ok());
  }
}
BENCHMARK_CAPTURE(begin, checked, Checked::kOn)
    ->ArgNames({"sequences", "kv_len"})
    ->Args({1, 128})
    ->Args({32, 4096})
    ->Args({256, 4096});
BENCHMARK_CAPTURE(begin, unchecked, Checked::kOff)
    ->ArgNames({"sequences", "kv_len"})
    ->Args({1, 128})
    ->Args({32, 4096})
    ->Args({256, 4096});

// The slots of a prefill: ascending (the usual case) and shuffled.
void check_slots(benchmark::State& state, uint64_t step) {
  constexpr int32_t kTokens = 8192;
  std::vector<int64_t> slots;
  for (uint64_t i = 0; i < kTokens; ++i) slots.push_back(static_cast<int64_t>(i * step % kTokens));
  const std::array<int32_t, 2> q_start{0, kTokens};
  const int32_t kv_len = 0;
  attnrt_batch batch{};
  batch.struct_size = sizeof batch;
  batch.sequences = 1;
  batch.tokens = batch.max_q_len = kTokens;
  batch.q_start = {q_start.data(), q_start.data()};
  batch.kv_len = {&kv_len, &kv_len};
  batch.slot_mapping = {slots.data(), slots.data()};
  BatchLimits limits;
  limits.blocks = kTokens / 16;
  limits.block_size = 16;
  BatchChecker checker;
  for (auto _ : state) benchmark::DoNotOptimize(checker.check(batch, limits).ok());
  state.SetItemsProcessed(state.iterations() * kTokens);
}
BENCHMARK_CAPTURE(check_slots, ascending, 1);
BENCHMARK_CAPTURE(check_slots, shuffled, 4097);

}  // namespace
