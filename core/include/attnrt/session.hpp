// Sessions: a plan brought to life. What an engine links.
//   auto session = Session::open(plan, registry, options);
//   for every step:  auto step = session->begin(batches);       // one batch a cache group
//                    for every layer:  step->append(layer, k, v);  step->attend(layer, q, out);
//
// Ownership: the engine owns q, k, v, out, the batch's arrays and, where it gives them, the caches;
// all stay valid while a Step lives. A Step ends before its Session. Threads: a session and its
// steps are used by one thread at a time; different sessions by many. On devices the stream is the
// only order; a step's memory is used again once the step is destroyed, for work on the same
// stream. Errors name layer, op and plugin. append, attend and merge neither allocate nor lock.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "attnrt/blocks.hpp"
#include "attnrt/load.hpp"
#include "attnrt/plan.hpp"
#include "attnrt/plugin.h"

namespace attnrt {

// Pointer, dtype, shape, strides in elements; the last axis is contiguous.
using TensorView = attnrt_tensor;
// Dense, row-major. Precondition: at most ATTNRT_MAX_RANK axes.
TensorView make_tensor(void* data, DType dtype, std::initializer_list<int64_t> shape);
TensorView make_tensor(const void* data, DType dtype, std::initializer_list<int64_t> shape);

enum class Checked : uint8_t { kOn, kOff };  // checked mode: batches and tensors are validated

// An engine's own allocator of device memory, such as its framework's caching one. Both functions
// or none; called by the threads that open, begin, move and destroy sessions and steps, and never
// within append, attend or merge.
struct DeviceAllocator {
  // `bytes` at a multiple of `alignment`, a power of two, which the device may use until they are
  // released, on any stream; null if there are not so many. Need not be zeros.
  void* (*allocate)(void* ctx, uint64_t bytes, uint64_t alignment) = nullptr;
  // Never fails. The device has done what it was given to do with the memory.
  void (*release)(void* ctx, void* data) = nullptr;
  void* ctx = nullptr;
};

struct SessionOptions {
  // Upper bounds of all batches; workspaces are made for them once.
  int32_t max_sequences = 64;
  int32_t max_tokens = 2048;  // query tokens of a batch
  int64_t max_kv_len = 8192;
  Checked checked = Checked::kOn;
  // Waits for the device after every append, attend and merge, so that what goes wrong there is an
  // error of its layer, op and plugin; otherwise the next begin finds it, and can't tell. Slow, and
  // no graph can be captured: for finding defects.
  bool blocking = false;

  int32_t threads = 0;  // what plugins may use; 0: each decides
  // The engine's threads, see attnrt_host.parallel_for; null: plugins use their own.
  void (*parallel_for)(void* ctx, int64_t n, void (*fn)(void* arg, int64_t i), void* arg) = nullptr;
  void* parallel_for_ctx = nullptr;
  // Per plugin: key and value, handed to its `open`.
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, std::string>>>>
      plugin_options;
  // Where the operator wrote an option ("run.yaml:4:20"), for errors; an empty key: all options of
  // that plugin. Empty function: not known.
  std::function<std::string(const std::string& plugin, const std::string& key)> option_place;

  // Where the caches stand. views: the engine's own, one a layer, in its own strides (the engine
  // then also hands out block ids). Else one pool: in `memory` if given (host memory, or the
  // device's, of at least Session::pool().bytes()), else allocated.
  std::vector<attnrt_cache_view> views;
  void* memory = nullptr;
  uint64_t memory_bytes = 0;
  int64_t blocks = 1024;  // of every group at once; groups may then trade among each other

  // Where the device's memory comes from: workspaces, and the pool if not in `memory`. Null: from
  // the plugin's device service. Pinned host memory is always that's, and a host has no use for it.
  DeviceAllocator device_allocator;

  // What to do when a chosen plugin refuses open or prepare: empty: fail (kPluginRefused); else ask
  // for a plan without it, and go on with that. See replan_without.
  std::function<Result<Plan>(const std::vector<std::string>& refused)> replan;
};

// A SessionOptions.replan that plans again with the refused plugins denied. catalog outlives it.
std::function<Result<Plan>(const std::vector<std::string>&)> replan_without(ModelGeometry model,
                                                                            Device device,
                                                                            PlanOptions options,
                                                                            const Catalog& catalog);

// What a layer has beside its tensors; set once. All null or 1 at first. Device memory on devices.
struct LayerParameters {
  const float* sinks = nullptr;         // [q_heads]
  const float* alibi_slopes = nullptr;  // [q_heads]
  attnrt_scale k_scale{nullptr, 0, 1.0f};
  attnrt_scale v_scale{nullptr, 0, 1.0f};
  attnrt_scale q_scale{nullptr, 0, 1.0f};
  attnrt_scale out_scale{nullptr, 0, 1.0f};
  uint64_t* nan_count = nullptr;  // grows by the NaN inputs that the format could not store
};

// A plugin in use.
struct PluginUse {
  std::string name;
  std::string path;
  std::string description;  // its own words, e.g. "avx512, 2 threads"; may be empty
};

// The device's memory, streams, events and graphs, through the plugin that a session has them from
// (see attnrt_device_service; functions that the plugin has not got are null). service null: the
// device is the host. Valid while the session lives.
struct DeviceFunctions {
  const attnrt_device_service* service = nullptr;
  attnrt_instance* instance = nullptr;
};

class Step;

class Session {
 public:
  static Result<Session> open(Plan plan, const PluginRegistry& registry,
                              SessionOptions options = {});
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  const Plan& plan() const;  // the one in use: after a re-plan, the new one
  const std::vector<PluginUse>& plugins() const;
  const std::vector<Error>& refusals() const;  // that replan has answered
  DeviceFunctions device() const;

  BlockPool& pool();  // of the session's own caches; empty (no groups) over the engine's views
  BlockTables make_tables(uint32_t group);  // precondition: a pool of its own
  const attnrt_cache_view& view(int32_t layer) const;
  Status set_layer(int32_t layer, const LayerParameters& parameters);

  // Validates the batches (checked mode), one a group of plan().groups, and makes the schedules.
  // Any order of sequences is right. Where no kernel takes decode and prefill in one call, the
  // batch is attended as a decode part, a prefill part and a decode part; sequences of few query
  // tokens between longer ones then run as prefill, so decodes stand best at one end.
  Result<Step> begin(std::span<const attnrt_batch> batches, void* stream = nullptr);

  // out = softmax-weighted sum of parts, see attnrt_merge_args. `layer` gives heads and head size.
  Status merge(int32_t layer, std::span<const TensorView> part_out,
               std::span<const TensorView> part_lse, const TensorView& out,
               const TensorView& lse = {}, void* stream = nullptr);
  // Whole pages of all layers of the group, as bytes, in the order of the pairs.
  Status copy_blocks(uint32_t group, std::span<const BlockPair> pairs, void* stream = nullptr);

  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

// One batch on its way through the layers.
class Step {
 public:
  Step(Step&&) noexcept;
  Step& operator=(Step&&) noexcept;
  ~Step();

  // Other batches in the place of those that the step began with, for a graph that has captured its
  // calls: a replay then appends and attends for them. As many query tokens as before, in the same
  // parts, and the same array of slots, filled anew; lengths, blocks and the other arrays may
  // differ. Needs a plan with the feature graph. After an error of a plugin the step is of no use.
  Status update(std::span<const attnrt_batch> batches);

  // k [tokens, kv_heads, qk], v [tokens, kv_heads, v]; latent: v = {}. Stored at the batch's slots.
  Status append(int32_t layer, const TensorView& k, const TensorView& v);
  // q [tokens, q_heads, qk], out [tokens, q_heads, v], lse f32 [tokens, q_heads] or {}.
  Status attend(int32_t layer, const TensorView& q, const TensorView& out,
                const TensorView& lse = {});
  // Calls of attend that the layer's batch is divided into.
  int32_t parts(int32_t layer) const;

  struct State;
  explicit Step(State* state) : state_(state) {}

 private:
  State* state_ = nullptr;
};

}  // namespace attnrt
