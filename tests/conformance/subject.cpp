#include "subject.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "memory.hpp"

namespace attnrt::conformance {
namespace {

void log(void*, int32_t level, const char* text) {
  if (level >= ATTNRT_LOG_WARN) std::fprintf(stderr, "plugin: %s\n", text);
}

const attnrt_host& host() {
  static const attnrt_host table = [] {
    attnrt_host h{};
    h.struct_size = sizeof h;
    h.abi_minor = ATTNRT_ABI_MINOR;
    h.log = log;
    h.threads = 2;
    return h;
  }();
  return table;
}

struct OpRelease {
  const attnrt_plugin* table;
  void operator()(attnrt_op* op) const { table->release_op(op); }
};
using OpHandle = std::unique_ptr<attnrt_op, OpRelease>;
struct ScheduleRelease {
  const attnrt_plugin* table;
  void operator()(attnrt_schedule* s) const { table->release_schedule(s); }
};
using ScheduleHandle = std::unique_ptr<attnrt_schedule, ScheduleRelease>;

OpHandle prepare(const attnrt_plugin* table, attnrt_instance* instance, const std::string& kernel,
                 const attnrt_layer_class& layer) {
  Caller caller;
  attnrt_op* op = nullptr;
  caller.check(table->prepare(instance, kernel.c_str(), &layer, &op, caller.error()), "prepare");
  return OpHandle(op, {table});
}

attnrt_scale put_scale(DeviceMemory& memory, const std::vector<float>& values) {
  if (values.empty()) return {nullptr, 0, 1.0f};
  return {memory.put(values), static_cast<int32_t>(values.size()),
          values.size() == 1 ? values[0] : std::nanf("")};
}

attnrt_scale put_scale(DeviceMemory& memory, float value) {
  return value == 1.0f ? attnrt_scale{nullptr, 0, 1.0f}
                       : put_scale(memory, std::vector<float>{value});
}

// A copy that begins `shift` bytes behind an aligned address.
uint8_t* put_behind(DeviceMemory& memory, const std::vector<uint8_t>& bytes, int32_t shift) {
  if (shift == 0) return memory.put(bytes);
  std::vector<uint8_t> moved(static_cast<size_t>(shift), kPoison);
  moved.insert(moved.end(), bytes.begin(), bytes.end());
  return memory.put(moved) + shift;
}

// The batch's arrays on the device, with their host copies beside them.
attnrt_batch put_batch(DeviceMemory& memory, const BatchData& data) {
  attnrt_batch b = data.view();
  auto put = [&](auto& array, const auto& values) {
    if (array.host != nullptr) array.device = memory.put(values);
    // On a host device both pointers are the same memory.
    array.host = array.device == nullptr ? nullptr : array.host;
  };
  put(b.q_start, data.q_start);
  put(b.kv_len, data.kv_len);
  put(b.block_table, data.block_table);
  if (!data.prefix_len.empty()) put(b.prefix_len, data.prefix_len);
  if (!data.tree.empty()) {
    put(b.tree_mask, data.tree);
    put(b.tree_offset, data.tree_offset);
  }
  return b;
}

attnrt_workspace make_workspace(const attnrt_plugin* table, attnrt_op* op, DeviceMemory& memory,
                                const BatchData& batch) {
  attnrt_bounds bounds{};
  bounds.struct_size = sizeof bounds;
  bounds.sequences = std::max(1, batch.sequences());
  bounds.tokens = std::max(1, batch.tokens());
  bounds.q_len = std::max(1, batch.max_q_len());
  bounds.kv_len = std::max<int64_t>(1, batch.max_kv_len());
  attnrt_workspace_sizes sizes{};
  sizes.struct_size = sizeof sizes;
  Caller caller;
  caller.check(table->workspace(op, &bounds, &sizes, caller.error()), "workspace");
  attnrt_workspace w{};
  w.struct_size = sizeof w;
  w.state_bytes = sizes.state.bytes;
  w.scratch_bytes = sizes.scratch.bytes;
  w.staging_bytes = sizes.staging.bytes;
  w.state = memory.allocate(sizes.state.bytes, sizes.state.alignment, 0);
  w.scratch = memory.allocate(sizes.scratch.bytes, sizes.scratch.alignment, kPoison);
  w.staging = memory.allocate_host(sizes.staging.bytes, sizes.staging.alignment);
  return w;
}

}  // namespace

Subject::Subject(const attnrt_plugin* table, const Device& device,
                 std::vector<std::pair<std::string, std::string>> options)
    : table_(table) {
  std::vector<attnrt_option> list;
  for (const auto& [key, value] : options) list.push_back({key.c_str(), value.c_str()});
  attnrt_device d{};
  d.struct_size = sizeof d;
  d.kind = static_cast<int32_t>(device.kind);
  d.ordinal = std::max(0, device.ordinal);
  d.sm = device.sm;
  d.gfx = device.gfx.empty() ? nullptr : device.gfx.c_str();
  d.options = list.data();
  d.option_count = list.size();
  Caller caller;
  caller.check(table_->open(&host(), &d, &instance_, caller.error()), "open");
  if (table_->device_service != nullptr) service_ = table_->device_service(instance_);
}

Subject::~Subject() {
  table_->close(instance_);
}

std::string Subject::describe() const {
  char text[256] = "";
  if (table_->describe == nullptr || table_->describe(instance_, text, sizeof text) != ATTNRT_OK)
    return {};
  return text;
}

attnrt_layer_class Subject::layer_class(const Cell& c, const Parameters& p, int32_t window) const {
  attnrt_layer_class layer{};
  layer.struct_size = sizeof layer;
  layer.op = static_cast<int32_t>(c.op);
  layer.kv_heads = c.kv_heads;
  layer.q_heads = c.kv_heads * c.group;
  layer.head_dim_qk = c.head_dim.qk;
  layer.head_dim_v = c.head_dim.v;
  layer.q_dtype = static_cast<int32_t>(c.q);
  layer.out_dtype = static_cast<int32_t>(c.out);
  layer.cache_format = c.op == Op::kMerge ? "" : name(c.kv).data();
  layer.block_size = c.block_size;
  layer.layout = static_cast<int32_t>(c.layout);
  layer.cache_kind = static_cast<int32_t>(c.cache);
  layer.features = c.features.bits();
  layer.window = window;
  layer.softcap = c.features.contains(Feature::kSoftcap) ? p.softcap : 0;
  return layer;
}

void Subject::append(const Cell& cell, const HostTensor& k, const HostTensor& v,
                     const std::vector<int64_t>& slots, const Parameters& p, Pages& pages) {
  DeviceMemory memory(service_, instance_);
  OpHandle op = prepare(table_, instance_, cell.kernel, layer_class(cell, p, 0));
  auto* base = put_behind(memory, pages.bytes, cell.page_shift);
  attnrt_append_args args{};
  args.struct_size = sizeof args;
  args.tokens = static_cast<int32_t>(slots.size());
  args.k = k.view(put_behind(memory, k.bytes, cell.tensor_shift));
  if (cell.cache == CacheKind::kSeparate) {
    args.v = v.view(put_behind(memory, v.bytes, cell.tensor_shift));
  }
  const int64_t* device_slots = memory.put(slots);
  args.slot_mapping = {device_slots, slots.data()};
  args.cache = pages.view(base);
  args.cache.k_scale = put_scale(memory, p.k_scale);
  args.cache.v_scale = put_scale(memory, p.v_scale);
  Caller caller;
  caller.check(table_->append(op.get(), &args, caller.error()), "append");
  memory.synchronize();
  memory.get(pages.bytes.data(), base, pages.bytes.size());
}

AttendResult Subject::attend(const Cell& cell, const BatchData& batch, const HostTensor& q,
                             const Parameters& p, const Pages& pages) {
  DeviceMemory memory(service_, instance_);
  OpHandle op = prepare(table_, instance_, cell.kernel, layer_class(cell, p, batch.window));
  const attnrt_batch b = put_batch(memory, batch);
  const attnrt_workspace workspace = make_workspace(table_, op.get(), memory, batch);
  Caller caller;
  // graph: the schedule is made for another batch within the bounds, then changed to this one.
  const bool reschedules = cell.features.contains(Feature::kGraph) && batch.sequences() > 0;
  const BatchData other = reschedules ? batch.only(batch.sequences() - 1) : BatchData{};
  const attnrt_batch first = reschedules ? put_batch(memory, other) : b;
  attnrt_schedule* raw = nullptr;
  caller.check(table_->schedule(op.get(), &first, &workspace, nullptr, &raw, caller.error()),
               "schedule");
  const ScheduleHandle schedule(raw, {table_});
  if (reschedules) caller.check(table_->reschedule(raw, &b, nullptr, caller.error()), "reschedule");

  const bool wants_lse = cell.features.contains(Feature::kLse);
  const int64_t heads = int64_t{cell.kv_heads} * cell.group;
  AttendResult result{
      HostTensor(cell.out, batch.tokens(), heads, cell.head_dim.v, padding_of(cell, cell.out)), {}};
  const DType lse_dtype = cell.out == DType::kF64 ? DType::kF64 : DType::kF32;
  if (wants_lse) result.lse = HostTensor(lse_dtype, batch.tokens(), heads, 1, 0);
  attnrt_attend_args args{};
  args.struct_size = sizeof args;
  args.q = q.view(put_behind(memory, q.bytes, cell.tensor_shift));
  const std::vector<uint8_t> unwritten = result.out.bytes;
  auto* out = memory.put(unwritten);
  args.out = result.out.view(out);
  auto* lse = wants_lse ? memory.put(result.lse.bytes) : nullptr;
  if (wants_lse) args.lse = result.lse.view2(lse);
  std::vector<uint8_t> bytes = pages.bytes;
  auto* base = put_behind(memory, bytes, cell.page_shift);
  args.cache = pages.view(base);
  args.cache.k_scale = put_scale(memory, p.k_scale);
  args.cache.v_scale = put_scale(memory, p.v_scale);
  args.q_scale = put_scale(memory, p.q_scale);
  args.out_scale = put_scale(memory, p.out_scale);
  if (!p.sinks.empty()) args.sinks = memory.put(p.sinks);
  if (!p.slopes.empty()) args.alibi_slopes = memory.put(p.slopes);
  args.scratch = workspace.scratch;

  caller.check(table_->attend(op.get(), raw, &args, caller.error()), "attend");
  memory.synchronize();
  memory.get(result.out.bytes.data(), out, result.out.bytes.size());
  if (wants_lse) memory.get(result.lse.bytes.data(), lse, result.lse.bytes.size());

  // The state is left replayable: a second layer of the class gets the same answer.
  out = memory.put(unwritten);
  args.out = result.out.view(out);
  caller.check(table_->attend(op.get(), raw, &args, caller.error()), "attend again");
  memory.synchronize();
  std::vector<uint8_t> again(result.out.bytes.size());
  memory.get(again.data(), out, again.size());
  if (again != result.out.bytes)
    throw std::runtime_error("a second attend over one schedule gives other bits");
  memory.get(bytes.data(), base, bytes.size());
  if (bytes != pages.bytes) throw std::runtime_error("attend wrote into the cache");
  return result;
}

AttendResult Subject::merge(const Cell& cell, const std::vector<HostTensor>& outs,
                            const std::vector<HostTensor>& lses, const Parameters& p) {
  DeviceMemory memory(service_, instance_);
  OpHandle op = prepare(table_, instance_, cell.kernel, layer_class(cell, p, 0));
  std::vector<attnrt_tensor> part_out, part_lse;
  for (const HostTensor& t : outs) part_out.push_back(t.view(memory.put(t.bytes)));
  for (const HostTensor& t : lses) part_lse.push_back(t.view2(memory.put(t.bytes)));
  const int64_t tokens = outs.front().shape[0];
  const int64_t heads = outs.front().shape[1];
  AttendResult result{HostTensor(cell.out, tokens, heads, cell.head_dim.v, 0),
                      HostTensor(DType::kF32, tokens, heads, 1, 0)};
  attnrt_merge_args args{};
  args.struct_size = sizeof args;
  args.parts = static_cast<int32_t>(outs.size());
  args.part_out = part_out.data();
  args.part_lse = part_lse.data();
  auto* out = memory.put(result.out.bytes);
  auto* lse = memory.put(result.lse.bytes);
  args.out = result.out.view(out);
  args.lse = result.lse.view2(lse);
  args.out_scale = put_scale(memory, p.out_scale);
  Caller caller;
  caller.check(table_->merge(op.get(), &args, caller.error()), "merge");
  memory.synchronize();
  memory.get(result.out.bytes.data(), out, result.out.bytes.size());
  memory.get(result.lse.bytes.data(), lse, result.lse.bytes.size());
  return result;
}

}  // namespace attnrt::conformance
