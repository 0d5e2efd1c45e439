#include "tests/run/fake_plugin.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <utility>

struct attnrt_instance {
  attnrt::testing_fakes::FakeState* state;
};
struct attnrt_op {
  attnrt_instance* instance;
  attnrt_layer_class layer_class;
};
struct attnrt_schedule {
  attnrt_op* op;
  attnrt_batch batch;
};

namespace attnrt::testing_fakes {
namespace {

constexpr const char* kKernels = R"(
abi: 1
kernels:
  - name: store
    device: cpu
    op: [append]
    q: [f32]
    kv: [f32, bf16, int8_per_token_head]
    cache: [separate, latent]
    head_dim: [8, [12, 8]]
    block_size: [4, 8]
    layout: [nhd, hnd]
    group: {max: 8}
    features: [causal, window, lse, sinks, batch_invariant, graph, per_head_scales]
  - name: attend
    device: cpu
    op: [prefill, decode, mixed]
    query_tokens: {max: 4}
    q: [f32]
    kv: [f32, bf16, int8_per_token_head]
    cache: [separate, latent]
    head_dim: [8, [12, 8]]
    block_size: [4, 8]
    layout: [nhd, hnd]
    group: {max: 8}
    features: [causal, window, lse, sinks, batch_invariant, graph, per_head_scales]
  - name: join
    device: cpu
    op: [merge]
    q: [f32]
    out: [f32]
    head_dim: [8, [12, 8]]
    group: {max: 8}
    features: [causal, lse]
)";

std::array<FakeState, 2> states;

attnrt_status refuse(attnrt_error* error, attnrt_status status, const std::string& text) {
  std::snprintf(error->text, error->capacity, "%s", text.c_str());
  return status;
}

template <size_t I>
attnrt_status open(const attnrt_host*, const attnrt_device* device, attnrt_instance** out,
                   attnrt_error* error) {
  FakeState& s = states[I];
  if (!s.refuse_open.empty()) return refuse(error, ATTNRT_UNAVAILABLE, s.refuse_open);
  for (uint64_t i = 0; i < device->option_count; ++i) {
    s.options.push_back(std::string(device->options[i].key) + "=" + device->options[i].value);
  }
  ++s.opened;
  *out = new attnrt_instance{&s};
  return ATTNRT_OK;
}

void close(attnrt_instance* instance) {
  ++instance->state->closed;
  delete instance;
}

attnrt_status prepare(attnrt_instance* instance, const char* kernel, const attnrt_layer_class* c,
                      attnrt_op** out, attnrt_error* error) {
  FakeState& s = *instance->state;
  if (s.refuse_prepare == c->op) return refuse(error, ATTNRT_UNSUPPORTED, "not today");
  ++s.prepared;
  s.classes.push_back(*c);
  s.kernels.emplace_back(kernel);
  *out = new attnrt_op{instance, *c};
  return ATTNRT_OK;
}

void release_op(attnrt_op* op) {
  ++op->instance->state->released;
  delete op;
}

attnrt_status workspace(attnrt_op* op, const attnrt_bounds*, attnrt_workspace_sizes* out,
                        attnrt_error*) {
  *out = op->instance->state->sizes;
  out->struct_size = sizeof *out;
  return ATTNRT_OK;
}

attnrt_status schedule(attnrt_op* op, const attnrt_batch* batch, const attnrt_workspace* workspace,
                       void*, attnrt_schedule** out, attnrt_error*) {
  FakeState& s = *op->instance->state;
  ++s.schedules;
  ++s.live_schedules;
  s.workspaces.push_back(*workspace);
  s.batches.push_back(*batch);
  *out = new attnrt_schedule{op, *batch};
  return ATTNRT_OK;
}

attnrt_status reschedule(attnrt_schedule* schedule, const attnrt_batch* batch, void*,
                         attnrt_error*) {
  ++schedule->op->instance->state->reschedules;
  schedule->batch = *batch;
  return ATTNRT_OK;
}

void release_schedule(attnrt_schedule* schedule) {
  --schedule->op->instance->state->live_schedules;
  delete schedule;
}

float* row(const attnrt_cache_side& side, int64_t block, int64_t token, int64_t head) {
  return reinterpret_cast<float*>(static_cast<char*>(side.data) + block * side.block_stride +
                                  token * side.token_stride + head * side.head_stride);
}

attnrt_status append(attnrt_op* op, const attnrt_append_args* args, attnrt_error*) {
  FakeState& s = *op->instance->state;
  if (s.throw_in_append) throw std::runtime_error("a defect");
  s.last_append = *args;
  const attnrt_cache_view& c = args->cache;
  const attnrt_layer_class& l = op->layer_class;
  if (std::string(l.cache_format) != "f32") return ATTNRT_OK;
  for (int32_t t = 0; t < args->tokens; ++t) {
    const int64_t slot = args->slot_mapping.host[t];
    if (slot < 0) continue;
    for (int32_t h = 0; h < l.kv_heads; ++h) {
      const auto copy = [&](const attnrt_tensor& from, const attnrt_cache_side& to, int32_t n) {
        if (from.data == nullptr) return;
        const float* x =
            static_cast<const float*>(from.data) + t * from.stride[0] + h * from.stride[1];
        std::copy(x, x + n, row(to, slot / c.block_size, slot % c.block_size, h));
      };
      copy(args->k, c.k, l.head_dim_qk);
      copy(args->v, c.v, l.head_dim_v);
    }
  }
  return ATTNRT_OK;
}

void attend_sequence(const attnrt_batch& b, const attnrt_layer_class& l,
                     const attnrt_attend_args& args, int32_t sequence) {
  const attnrt_cache_view& c = args.cache;
  const attnrt_cache_side& v_side = c.v.data == nullptr ? c.k : c.v;
  const int64_t kv_len = b.kv_len.host[sequence];
  const int32_t first = b.q_start.host[sequence];
  const int32_t q_len = b.q_start.host[sequence + 1] - first;
  const int32_t* blocks = b.block_table.host + sequence * b.block_table_stride;
  for (int32_t i = 0; i < q_len * l.q_heads; ++i) {
    const int32_t token = first + i / l.q_heads;
    const int32_t head = i % l.q_heads;
    const int64_t position = kv_len - q_len + i / l.q_heads;
    const int64_t from = l.window > 0 ? std::max<int64_t>(position - l.window + 1, 0) : 0;
    std::vector<const float*> keys;
    std::vector<const float*> values;
    for (int64_t p = from; p <= position; ++p) {
      const int32_t kv_head = head / (l.q_heads / l.kv_heads);
      keys.push_back(row(c.k, blocks[p / c.block_size], p % c.block_size, kv_head));
      values.push_back(row(v_side, blocks[p / c.block_size], p % c.block_size, kv_head));
    }
    const float* q =
        static_cast<const float*>(args.q.data) + token * args.q.stride[0] + head * args.q.stride[1];
    float* out =
        static_cast<float*>(args.out.data) + token * args.out.stride[0] + head * args.out.stride[1];
    const std::vector<float> result =
        attention({q, q + l.head_dim_qk}, keys, values, l.head_dim_v, 1 / std::sqrt(l.head_dim_qk));
    std::copy(result.begin(), result.end(), out);
  }
}

attnrt_status attend(attnrt_op* op, attnrt_schedule* schedule, const attnrt_attend_args* args,
                     attnrt_error* error) {
  FakeState& s = *op->instance->state;
  if (s.refuse_attend == op->layer_class.op) return refuse(error, ATTNRT_DEVICE_ERROR, "burnt");
  s.broken = s.broken || s.break_in_attend == op->layer_class.op;
  if (schedule->op != op) return refuse(error, ATTNRT_INVALID_ARGUMENT, "another op's schedule");
  s.last_attend = *args;
  s.calls.push_back({op->layer_class.op, schedule->batch.sequences, schedule->batch.tokens});
  if (std::string(op->layer_class.cache_format) != "f32") return ATTNRT_OK;
  for (int32_t i = 0; i < schedule->batch.sequences; ++i) {
    attend_sequence(schedule->batch, op->layer_class, *args, i);
  }
  return ATTNRT_OK;
}

attnrt_status merge(attnrt_op*, const attnrt_merge_args* args, attnrt_error*) {
  const int64_t tokens = args->out.shape[0];
  for (int64_t i = 0; i < tokens * args->out.shape[1]; ++i) {
    double total = 0;
    std::vector<double> sum(static_cast<size_t>(args->out.shape[2]), 0.0);
    for (int32_t p = 0; p < args->parts; ++p) {
      const double weight = std::exp(double{static_cast<const float*>(args->part_lse[p].data)[i]});
      const float* x = static_cast<const float*>(args->part_out[p].data) + i * args->out.shape[2];
      for (size_t d = 0; d < sum.size(); ++d) sum[d] += weight * double{x[d]};
      total += weight;
    }
    float* out = static_cast<float*>(args->out.data) + i * args->out.shape[2];
    for (size_t d = 0; d < sum.size(); ++d) out[d] = static_cast<float>(sum[d] / total);
  }
  return ATTNRT_OK;
}

attnrt_status describe(attnrt_instance*, char* text, uint64_t capacity) {
  std::snprintf(text, capacity, "a fake");
  return ATTNRT_OK;
}

// The device's memory is the host's, so that its bytes can be looked at.
attnrt_status allocate(attnrt_instance* instance, uint64_t bytes, void** out, attnrt_error* error) {
  FakeState& s = *instance->state;
  if (s.refuse_allocation > 0 && --s.refuse_allocation == 0) {
    return refuse(error, ATTNRT_OUT_OF_MEMORY, "the device is full");
  }
  ++s.allocations;
  ++s.live_allocations;
  *out = std::malloc(bytes);
  return ATTNRT_OK;
}

attnrt_status release(attnrt_instance* instance, void* memory, attnrt_error*) {
  --instance->state->live_allocations;
  std::free(memory);
  return ATTNRT_OK;
}

attnrt_status copy(attnrt_instance* instance, void* to, const void* from, uint64_t bytes, void*,
                   attnrt_error*) {
  ++instance->state->copies;
  std::memcpy(to, from, bytes);
  return ATTNRT_OK;
}

attnrt_status zero(attnrt_instance*, void* memory, uint64_t bytes, void*, attnrt_error*) {
  std::memset(memory, 0, bytes);
  return ATTNRT_OK;
}

attnrt_status synchronize(attnrt_instance* instance, void*, attnrt_error* error) {
  FakeState& s = *instance->state;
  ++s.synchronisations;
  if (std::exchange(s.broken, false)) {
    return refuse(error, ATTNRT_DEVICE_ERROR, "an illegal address");
  }
  return ATTNRT_OK;
}

const attnrt_device_service* device_service(attnrt_instance* instance) {
  static const attnrt_device_service kService = [] {
    attnrt_device_service s{};
    s.struct_size = sizeof s;
    s.allocate = s.allocate_pinned = allocate;
    s.release = s.release_pinned = release;
    s.copy = copy;
    s.zero = zero;
    s.synchronize = synchronize;
    return s;
  }();
  // What stands behind a smaller table is none of its functions.
  static const attnrt_device_service kFirst = [] {
    attnrt_device_service s = kService;
    s.struct_size = offsetof(attnrt_device_service, begin_capture);
    s.begin_capture = [](attnrt_instance*, void*, attnrt_error*) -> attnrt_status {
      return ATTNRT_OK;
    };
    return s;
  }();
  if (instance->state->no_service) return nullptr;
  return instance->state->first_service ? &kFirst : &kService;
}

template <size_t I>
const attnrt_plugin* table() {
  static const attnrt_plugin kTable = [] {
    attnrt_plugin t{};
    t.struct_size = sizeof t;
    t.open = open<I>;
    t.close = close;
    t.prepare = prepare;
    t.release_op = release_op;
    t.workspace = workspace;
    t.schedule = schedule;
    t.reschedule = reschedule;
    t.release_schedule = release_schedule;
    t.append = append;
    t.attend = attend;
    t.merge = merge;
    t.describe = describe;
    t.device_service = device_service;
    return t;
  }();
  return &kTable;
}

Catalog make_catalog(const std::function<void(KernelManifest&)>& change) {
  std::vector<CatalogEntry> entries;
  for (const char* name : {"one", "two"}) {
    const std::string text =
        "attnrt_manifest: 1\nplugin: {name: " + std::string(name) +
        ", version: 1.0.0, vendor: test, license: Apache-2.0, description: fake}" + kKernels;
    Result<Manifest> manifest = parse_manifest(text, name);
    if (!manifest) throw std::logic_error(to_string(manifest.error()));
    for (KernelManifest& kernel : manifest->kernels) change(kernel);
    entries.push_back({std::move(*manifest), {}, true});
  }
  return Catalog(std::move(entries));
}

}  // namespace

FakeSource::FakeSource(const std::function<void(KernelManifest&)>& change)
    : catalog_(make_catalog(change)) {
  states = {};
}

FakeState& FakeSource::state(uint32_t plugin) {
  return states.at(plugin);
}

Result<LoadedPlugin> FakeSource::load(uint32_t plugin) const {
  const std::string name = catalog_.entries()[plugin].manifest.name;
  if (refuse_load && plugin == 0) {
    return Error{ErrorCode::kPluginRefused, name, "a plugin", "a picture of one", "bring one"};
  }
  return LoadedPlugin{plugin == 0 ? table<0>() : table<1>(), name, "/fakes/" + name + ".so"};
}

Plan FakePlan::make() const {
  Plan plan;
  plan.model = "fake";
  plan.device = device;
  plan.q = plan.out = DType::kF32;
  for (size_t i = 0; i < layers.size(); ++i) {
    LayerPlan layer;
    layer.index = static_cast<int32_t>(i);
    layer.geometry = layers[i];
    layer.kv = formats.empty() ? Format::kF32 : formats[i];
    layer.block_size = block_sizes.empty() ? 4 : block_sizes[i];
    Request request;
    request.q = DType::kF32;
    request.kv = layer.kv;
    request.cache = layers[i].cache;
    request.head_dim = layers[i].head_dim;
    request.q_heads = layers[i].q_heads;
    request.kv_heads = layers[i].kv_heads;
    request.block_size = layer.block_size;
    request.features = features;
    if (layers[i].window > 0) request.features.insert(Feature::kWindow);
    if (layers[i].sinks) request.features.insert(Feature::kSinks);
    for (const Op op : {Op::kAppend, Op::kPrefill, Op::kDecode, Op::kMixed}) {
      if (op == Op::kMixed && !mixed) continue;
      request.op = op;
      request.query_tokens = op == Op::kDecode ? decode_query_tokens : 1;
      layer.ops.push_back({op, request, plugin, op == Op::kAppend ? 0u : 1u, {}});
    }
    const PageGeometry page{layer.kv, layers[i].cache, layers[i].head_dim, layers[i].kv_heads,
                            layer.block_size};
    size_t group = 0;
    while (group < plan.groups.size() && (plan.groups[group].page.format != page.format ||
                                          plan.groups[group].page.block_size != page.block_size ||
                                          plan.groups[group].window != layers[i].window)) {
      ++group;
    }
    if (group == plan.groups.size()) {
      plan.groups.push_back({{}, page, Layout::kNhd, layers[i].window, *page_bytes(page)});
    }
    plan.groups[group].layers.push_back(layer.index);
    layer.group = static_cast<uint32_t>(group);
    plan.layers.push_back(std::move(layer));
  }
  return plan;
}

std::vector<float> attention(const std::vector<float>& q, const std::vector<const float*>& keys,
                             const std::vector<const float*>& values, int32_t head_dim_v,
                             double scale) {
  std::vector<double> sum(static_cast<size_t>(head_dim_v), 0.0);
  double total = 0;
  for (size_t j = 0; j < keys.size(); ++j) {
    double score = 0;
    for (size_t d = 0; d < q.size(); ++d) score += double{q[d]} * double{keys[j][d]};
    const double weight = std::exp(score * scale);
    for (size_t d = 0; d < sum.size(); ++d) sum[d] += weight * double{values[j][d]};
    total += weight;
  }
  std::vector<float> out(sum.size(), 0.0f);
  for (size_t d = 0; d < sum.size() && total > 0; ++d) out[d] = static_cast<float>(sum[d] / total);
  return out;
}

}  // namespace attnrt::testing_fakes
