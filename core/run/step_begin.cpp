// The start of a step: batches checked, divided and scheduled.
#include <algorithm>
#include <string>

#include "load/plugin_call.hpp"
#include "run/op_call.hpp"

namespace attnrt {

using runtime::BatchPart;
using runtime::Lane;
using runtime::Memory;
using runtime::PreparedOp;

Step::State::State(Session::Impl& s) : session(s), parts(s.lanes.size()) {}

Status Step::State::check(std::span<const attnrt_batch> given) {
  if (given.size() != session.groups.size()) {
    return Error{ErrorCode::kInvalid, "begin",
                 std::to_string(session.groups.size()) + " batches, one a cache group",
                 std::to_string(given.size()), "see plan().groups"};
  }
  for (size_t g = 0; g < given.size(); ++g) {
    // Sizes are compared in either mode: the session's own memory depends on them.
    const attnrt_batch& b = given[g];
    const attnrt_bounds bounds = session.bounds();
    const bool fits = b.sequences <= bounds.sequences && b.tokens <= bounds.tokens;
    if (session.options.checked == Checked::kOff && fits) continue;
    Status checked = session.checker.check(b, session.groups[g].limits);
    if (checked) continue;
    Error error = checked.error();
    error.where = "cache group " + std::to_string(g) + ", " + error.where;
    return error;
  }
  return Done{};
}

Status Step::State::begin(std::span<const attnrt_batch> given) {
  if (Status s = check(given); !s) return s;
  batches.assign(given.begin(), given.end());
  for (size_t i = 0; i < session.lanes.size(); ++i) {
    const Lane& lane = session.lanes[i];
    runtime::split_batch(batches[lane.group], lane.rule, split_);
    for (const BatchPart& part : split_) {
      if (Status s = schedule(lane, part, parts[i]); !s) return s;
    }
  }
  return Done{};
}

Result<Step::State::Workspace*> Step::State::workspace(const PreparedOp& op) {
  for (const auto& w : workspaces) {
    if (w->op == &op && !w->taken) {
      w->taken = true;
      return w.get();
    }
  }
  auto w = std::make_unique<Workspace>();
  w->op = &op;
  w->taken = true;
  const DeviceFunctions device = session.device();
  const auto q_start_bytes =
      (static_cast<uint64_t>(session.options.max_sequences) + 1) * sizeof(int32_t);
  const struct {
    Memory& memory;
    Memory::Place place;
    uint64_t bytes;
    uint64_t alignment;
  } areas[] = {
      {w->state, Memory::Place::kDevice, op.sizes.state.bytes, op.sizes.state.alignment},
      {w->staging, Memory::Place::kStaging, op.sizes.staging.bytes, op.sizes.staging.alignment},
      {w->q_start, Memory::Place::kStaging, q_start_bytes, alignof(int32_t)},
      {w->q_start_device, Memory::Place::kDevice, device.service == nullptr ? 0 : q_start_bytes,
       alignof(int32_t)},
  };
  for (const auto& area : areas) {
    Result<Memory> memory = Memory::allocate(device, session.options.device_allocator, area.place,
                                             area.bytes, area.alignment);
    if (!memory) return memory.error();
    area.memory = std::move(*memory);
  }
  workspaces.push_back(std::move(w));
  return workspaces.back().get();
}

// Rebased query starts were written on the host; a device needs them too.
Status Step::State::mirror_q_start(attnrt_batch& batch, Workspace& w) {
  const DeviceFunctions device = session.device();
  if (device.service == nullptr || batch.q_start.host != w.q_start.data()) return Done{};
  const auto bytes = (static_cast<uint64_t>(batch.sequences) + 1) * sizeof(int32_t);
  batch.q_start.device = static_cast<const int32_t*>(w.q_start_device.data());
  return load::call_plugin("begin", "copy", [&](attnrt_error* error) {
    return device.service->copy(device.instance, w.q_start_device.data(), w.q_start.data(), bytes,
                                stream, error);
  });
}

Status Step::State::schedule(const Lane& lane, const BatchPart& part, std::vector<Part>& out) {
  const PreparedOp* op = lane.op(part.op);
  const attnrt_batch& whole = batches[lane.group];
  Result<Workspace*> w = workspace(*op);
  if (!w) return w.error();
  attnrt_batch batch = runtime::part_of(whole, part, static_cast<int32_t*>((*w)->q_start.data()));
  if (Status s = mirror_q_start(batch, **w); !s) return s;
  attnrt_workspace memory{};
  memory.struct_size = sizeof memory;
  memory.state = (*w)->state.data();
  memory.state_bytes = (*w)->state.bytes();
  memory.staging = (*w)->staging.data();
  memory.staging_bytes = (*w)->staging.bytes();
  memory.scratch = session.scratch.data();
  memory.scratch_bytes = session.scratch.bytes();

  Part made;
  made.op = op;
  made.workspace = *w;
  made.tokens = batch.tokens;
  made.first_token = part.first == 0 ? 0 : whole.q_start.host[part.first];
  const attnrt_plugin* table = op->instance().table();
  Status scheduled = load::call_plugin("", "schedule", [&](attnrt_error* error) {
    return table->schedule(op->handle, &batch, &memory, stream, &made.schedule, error);
  });
  if (!scheduled) {
    Error error = scheduled.error();
    error.where = runtime::op_place(lane.layer, op->layer_class.op, op->instance().name());
    return error;
  }
  out.push_back(made);
  return Done{};
}

void Step::State::release() {
  for (std::vector<Part>& lane : parts) {
    for (const Part& part : lane) part.op->instance().table()->release_schedule(part.schedule);
    lane.clear();
  }
  for (const auto& w : workspaces) w->taken = false;
}

Status Step::State::wait(const char* before) {
  Status waited = runtime::wait_for(session.device(), stream);
  if (waited) return waited;
  Error error = waited.error();
  error.where = std::string(before) + ", of work on the device that was begun before";
  error.remedy = runtime::kBlockingRemedy;
  return error;
}

Result<Step> Session::begin(std::span<const attnrt_batch> batches, void* stream) {
  Impl& s = *impl_;
  if (s.idle.empty()) s.idle.push_back(std::make_unique<Step::State>(s));
  Step::State& state = *s.idle.back();
  state.stream = stream;
  // Work that still reads this state's staging memory.
  if (Status waited = state.wait("begin"); !waited) return waited.error();
  if (Status begun = state.begin(batches); !begun) {
    state.release();
    return begun.error();
  }
  Step step(s.idle.back().release());
  s.idle.pop_back();
  return step;
}

}  // namespace attnrt
