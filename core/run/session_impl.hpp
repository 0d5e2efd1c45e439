// The insides of a session: flat tables that the hot path indexes, and what they point at.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "attnrt/session.hpp"
#include "run/batch_parts.hpp"
#include "run/instance.hpp"
#include "run/memory.hpp"
#include "run/plugin_source.hpp"

namespace attnrt {

namespace runtime {

// What the kernels of a layer take of where rows stand (the manifest's tensors, pages, alignment):
// what all of them take.
struct RowRules {
  bool packed_tensors = false;
  bool packed_pages = false;
  int32_t alignment = 1;  // bytes

  void add(const KernelManifest& kernel);
};

// All that append, attend and merge need of a layer, ready before the first call.
struct LayerCode {
  uint32_t group = 0;
  uint32_t lane = 0;
  int32_t index = 0;
  HeadDim head_dim;
  int32_t q_heads = 0;
  int32_t kv_heads = 0;
  int32_t q_dtype = 0;
  int32_t kv_dtype = 0;  // of the incoming k and v
  int32_t out_dtype = 0;
  bool latent = false;
  bool lse = false;
  bool sinks = false;
  bool alibi = false;
  bool per_head_scales = false;
  RowRules append_rules;
  RowRules attend_rules;
  RowRules merge_rules;
  const PreparedOp* append = nullptr;
  const PreparedOp* merge = nullptr;  // null: no plugin of the plan merges this shape
  attnrt_append_args append_args{};   // but tokens, k, v, slots
  attnrt_attend_args attend_args{};   // but q, out, lse
};

// Layers of one group whose attention runs on the same ops: they share schedules.
struct Lane {
  uint32_t group = 0;
  int32_t layer = 0;  // the first; for errors
  const PreparedOp* decode = nullptr;
  const PreparedOp* prefill = nullptr;
  const PreparedOp* mixed = nullptr;
  SplitRule rule;

  const PreparedOp* op(Op which) const {
    return which == Op::kDecode ? decode : which == Op::kPrefill ? prefill : mixed;
  }
};

struct GroupCode {
  PageLayout page;
  BatchLimits limits;
  std::vector<BlockRun> runs;  // of a block, all layers
};

}  // namespace runtime

struct Session::Impl {
  explicit Impl(SessionOptions o) : options(std::move(o)) {}
  ~Impl();

  attnrt_bounds bounds() const;
  DeviceFunctions device() const;

  SessionOptions options;
  Plan plan;
  std::vector<PluginUse> uses;
  std::vector<Error> refusals;
  // In order of dependence: ops end before instances, memory before the instance it came from.
  std::vector<std::unique_ptr<runtime::Instance>> instances;
  std::vector<std::unique_ptr<runtime::PreparedOp>> ops;
  runtime::Memory cache;
  runtime::Memory scratch;
  BlockPool pool{PoolLayout{}, 0};
  std::vector<runtime::GroupCode> groups;
  std::vector<runtime::Lane> lanes;
  std::vector<runtime::LayerCode> layers;
  BatchChecker checker;
  std::vector<std::unique_ptr<Step::State>> idle;  // steps' memory to use again
};

struct Step::State {
  // Memory that one schedule owns.
  struct Workspace {
    const runtime::PreparedOp* op = nullptr;
    runtime::Memory state;
    runtime::Memory staging;
    runtime::Memory q_start;         // host: a part's rebased query starts
    runtime::Memory q_start_device;  // its mirror; empty where the host is the device
    bool taken = false;
  };
  // A call of attend: a range of the batch's tokens.
  struct Part {
    const runtime::PreparedOp* op = nullptr;
    Workspace* workspace = nullptr;
    attnrt_schedule* schedule = nullptr;
    int32_t first_token = 0;
    int32_t tokens = 0;
  };

  explicit State(Session::Impl& s);
  ~State() { release(); }

  Status begin(std::span<const attnrt_batch> given);
  Status update(std::span<const attnrt_batch> given);
  // Until the device has done what the stream holds. `before`: which call waits, for errors.
  Status wait(const char* before);
  void release();  // schedules; the memory stays

  Session::Impl& session;
  void* stream = nullptr;
  std::vector<attnrt_batch> batches;     // a group
  std::vector<std::vector<Part>> parts;  // a lane
  std::vector<std::unique_ptr<Workspace>> workspaces;

 private:
  Status check(std::span<const attnrt_batch> given);
  Status schedule(const runtime::Lane& lane, const runtime::BatchPart& part,
                  std::vector<Part>& out);
  Status check_parts(const runtime::Lane& lane, const attnrt_batch& now,
                     const std::vector<Part>& captured);
  bool rebases_queries() const;
  Status reschedule(const runtime::Lane& lane, const attnrt_batch& now,
                    const std::vector<Part>& captured);
  Result<Workspace*> workspace(const runtime::PreparedOp& op);
  Status mirror_q_start(attnrt_batch& batch, Workspace& workspace);

  std::vector<runtime::BatchPart> split_;
};

namespace runtime {

// Session::open for any source of plugins.
Result<Session> open_session(Plan plan, const PluginSource& source, SessionOptions options);

}  // namespace runtime
}  // namespace attnrt
