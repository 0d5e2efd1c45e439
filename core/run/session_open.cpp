// Opening a session: plugins, ops, caches. A refusal ends it, unless the options can plan again.
#include <algorithm>
#include <limits>
#include <string>

#include "attnrt/log.hpp"
#include "run/session_caches.hpp"
#include "run/session_impl.hpp"

namespace attnrt {
namespace runtime {
namespace {

// What went wrong, and which plugin a new plan should do without (empty: none).
struct Failure {
  Error error;
  std::string plugin;
};

class Builder {
 public:
  Builder(Session::Impl& impl, const PluginSource& source) : impl_(impl), source_(source) {}

  std::optional<Failure> build() {
    if (auto failed = check_plan()) return failed;
    for (const LayerPlan& layer : impl_.plan.layers) {
      if (auto failed = add_layer(layer)) return failed;
    }
    if (auto failed = add_merges()) return failed;
    if (auto failed = add_scratch()) return failed;
    if (Status s = add_caches(impl_); !s) return Failure{s.error(), ""};
    for (const auto& instance : impl_.instances) impl_.uses.push_back(instance->use());
    return std::nullopt;
  }

 private:
  std::optional<Failure> check_plan() {
    const Plan& plan = impl_.plan;
    if (!is_host(plan.device.kind) && plan.device.ordinal < 0) {
      return Failure{Error{ErrorCode::kInvalid, "session", "a device of this machine",
                           to_string(plan.device) + ", which can only be planned for",
                           "name a device that is here, e.g. cuda:0"},
                     ""};
    }
    const DeviceAllocator& own = impl_.options.device_allocator;
    if ((own.allocate == nullptr) != (own.release == nullptr)) {
      return Failure{Error{ErrorCode::kInvalid, "session options, device_allocator",
                           "both functions, or none", "one of them", "give the other, too"},
                     ""};
    }
    const attnrt_bounds b = impl_.bounds();
    if (b.sequences > 0 && b.tokens > 0 && b.kv_len > 0 && impl_.options.blocks > 0) {
      return std::nullopt;
    }
    return Failure{Error{ErrorCode::kInvalid, "session options",
                         "max_sequences, max_tokens, max_kv_len and blocks of at least 1",
                         "one that is less", "set bounds that hold every batch"},
                   ""};
  }

  // The instance of a plugin; opened on its first use.
  Result<Instance*> instance(uint32_t plugin) {
    for (size_t i = 0; i < opened_.size(); ++i) {
      if (opened_[i] == plugin) return impl_.instances[i].get();
    }
    Result<LoadedPlugin> loaded = source_.load(plugin);
    if (!loaded) return loaded.error();
    Result<std::unique_ptr<Instance>> instance =
        Instance::open(*loaded, impl_.plan.device, impl_.options);
    if (!instance) return instance.error();
    opened_.push_back(plugin);
    impl_.instances.push_back(std::move(*instance));
    return impl_.instances.back().get();
  }

  std::optional<Failure> prepare(uint32_t plugin, uint32_t kernel, const attnrt_layer_class& c,
                                 int32_t layer, const PreparedOp** out) {
    const std::vector<CatalogEntry>& entries = source_.catalog().entries();
    if (plugin >= entries.size() || kernel >= entries[plugin].manifest.kernels.size()) {
      return Failure{Error{ErrorCode::kInvalid, "layer " + std::to_string(layer),
                           "a plan made from this registry's catalog",
                           "kernel " + std::to_string(kernel) + " of plugin " +
                               std::to_string(plugin) + ", which it does not have",
                           "plan with registry.catalog()"},
                     ""};
    }
    const Manifest& manifest = entries[plugin].manifest;
    Result<Instance*> on = instance(plugin);
    if (!on) return Failure{on.error(), manifest.name};
    const std::string& kernel_name = manifest.kernels[kernel].name;
    for (const auto& op : impl_.ops) {
      if (op->same(**on, kernel_name, c)) {
        *out = op.get();
        return std::nullopt;
      }
    }
    Result<std::unique_ptr<PreparedOp>> op =
        PreparedOp::prepare(**on, kernel_name, c, layer, impl_.bounds());
    if (!op) return Failure{op.error(), manifest.name};
    *out = op->get();
    impl_.ops.push_back(std::move(*op));
    return std::nullopt;
  }

  std::optional<Failure> prepare_op(const LayerPlan& layer, Op op, const PreparedOp** out,
                                    RowRules& rules) {
    const OpDecision* decision = layer.find(op);
    if (decision == nullptr) return std::nullopt;
    auto failed = prepare(decision->plugin, decision->kernel, layer_class_of(layer, *decision),
                          layer.index, out);
    if (!failed) rules.add(kernel_of(decision->plugin, decision->kernel));
    return failed;
  }

  const KernelManifest& kernel_of(uint32_t plugin, uint32_t kernel) const {
    return source_.catalog().entries()[plugin].manifest.kernels[kernel];
  }

  std::optional<Failure> add_layer(const LayerPlan& layer) {
    Lane lane;
    lane.group = layer.group;
    lane.layer = layer.index;
    LayerCode code = layer_code(layer);
    if (auto failed = prepare_op(layer, Op::kAppend, &code.append, code.append_rules))
      return failed;
    if (auto failed = prepare_op(layer, Op::kPrefill, &lane.prefill, code.attend_rules))
      return failed;
    if (auto failed = prepare_op(layer, Op::kDecode, &lane.decode, code.attend_rules))
      return failed;
    if (auto failed = prepare_op(layer, Op::kMixed, &lane.mixed, code.attend_rules)) return failed;
    if (code.append == nullptr || lane.prefill == nullptr || lane.decode == nullptr) {
      return Failure{Error{ErrorCode::kInvalid, "layer " + std::to_string(layer.index),
                           "a plan with append, prefill and decode", "one that lacks an op",
                           "make the plan with attnrt::plan"},
                     ""};
    }
    const Request& decode = layer.find(Op::kDecode)->request;
    lane.rule.decode_tokens = std::max(decode.query_tokens, 1);
    lane.rule.mixed = lane.mixed != nullptr;
    lane.rule.batch_invariant = decode.features.contains(Feature::kBatchInvariant);
    code.kv_dtype = code.append->layer_class.q_dtype;
    code.lane = lane_index(lane);
    impl_.layers.push_back(code);
    return std::nullopt;
  }

  LayerCode layer_code(const LayerPlan& layer) const {
    const LayerGeometry& g = layer.geometry;
    LayerCode code;
    code.group = layer.group;
    code.index = layer.index;
    code.head_dim = g.head_dim;
    code.q_heads = g.q_heads;
    code.kv_heads = g.kv_heads;
    code.latent = g.cache == CacheKind::kLatent;
    code.sinks = g.sinks;
    code.alibi = g.alibi;
    code.q_dtype = static_cast<int32_t>(impl_.plan.q);
    code.out_dtype = static_cast<int32_t>(impl_.plan.out);
    if (const OpDecision* decode = layer.find(Op::kDecode)) {
      code.lse = decode->request.features.contains(Feature::kLse);
      code.per_head_scales = decode->request.features.contains(Feature::kPerHeadScales);
    }
    code.append_args.struct_size = sizeof code.append_args;
    code.attend_args.struct_size = sizeof code.attend_args;
    code.attend_args.q_scale = {nullptr, 0, 1.0f};
    code.attend_args.out_scale = {nullptr, 0, 1.0f};
    return code;
  }

  uint32_t lane_index(const Lane& lane) {
    for (size_t i = 0; i < impl_.lanes.size(); ++i) {
      const Lane& l = impl_.lanes[i];
      if (l.group == lane.group && l.decode == lane.decode && l.prefill == lane.prefill &&
          l.mixed == lane.mixed) {
        return static_cast<uint32_t>(i);
      }
    }
    impl_.lanes.push_back(lane);
    return static_cast<uint32_t>(impl_.lanes.size() - 1);
  }

  // Merging is no part of a plan: it is served by the plan's own plugins where one of them can.
  std::optional<Failure> add_merges() {
    Policy policy;
    for (size_t i = 0; i < source_.catalog().entries().size(); ++i) {
      const bool in_use =
          std::find(opened_.begin(), opened_.end(), static_cast<uint32_t>(i)) != opened_.end();
      if (!in_use) policy.deny.push_back(source_.catalog().entries()[i].manifest.name);
    }
    for (size_t i = 0; i < impl_.layers.size(); ++i) {
      LayerCode& code = impl_.layers[i];
      const LayerPlan& layer = impl_.plan.layers[i];
      OpDecision merge{Op::kMerge, layer.find(Op::kDecode)->request, 0, 0, {}};
      merge.request.op = Op::kMerge;
      merge.request.q = DType::kF32;
      merge.request.out = impl_.plan.out;
      merge.request.features.insert(Feature::kLse);
      const Decision decision = select(merge.request, source_.catalog(), policy);
      if (!decision.chosen) continue;
      const Candidate& chosen = decision.candidates[*decision.chosen];
      attnrt_layer_class c = layer_class_of(layer, merge);
      c.cache_format = "";
      if (auto failed = prepare(chosen.plugin, chosen.kernel, c, code.index, &code.merge)) {
        return failed;
      }
      code.merge_rules.add(kernel_of(chosen.plugin, chosen.kernel));
    }
    return std::nullopt;
  }

  std::optional<Failure> add_scratch() {
    uint64_t bytes = 0;
    uint64_t alignment = 64;
    for (const auto& op : impl_.ops) {
      bytes = std::max(bytes, op->sizes.scratch.bytes);
      alignment = std::max(alignment, op->sizes.scratch.alignment);
    }
    Result<Memory> scratch = Memory::allocate(impl_.device(), impl_.options.device_allocator,
                                              Memory::Place::kDevice, bytes, alignment);
    if (!scratch) return Failure{scratch.error(), ""};
    impl_.scratch = std::move(*scratch);
    for (LayerCode& code : impl_.layers) code.attend_args.scratch = impl_.scratch.data();
    return std::nullopt;
  }

  Session::Impl& impl_;
  const PluginSource& source_;
  std::vector<uint32_t> opened_;  // catalog indices, as impl_.instances
};

}  // namespace

void RowRules::add(const KernelManifest& kernel) {
  packed_tensors = packed_tensors || !kernel.tensors.contains(Strides::kStrided);
  packed_pages = packed_pages || !kernel.pages.contains(Strides::kStrided);
  alignment = std::max(alignment, kernel.alignment);
}

Result<Session> open_session(Plan plan, const PluginSource& source, SessionOptions options) {
  std::vector<std::string> refused;
  std::vector<Error> refusals;
  for (;;) {
    auto impl = std::make_unique<Session::Impl>(options);
    impl->plan = std::move(plan);
    std::optional<Failure> failed = Builder(*impl, source).build();
    if (!failed) {
      impl->refusals = std::move(refusals);
      return Session(std::move(impl));
    }
    const bool answered =
        failed->error.code == ErrorCode::kPluginRefused && options.replan &&
        std::find(refused.begin(), refused.end(), failed->plugin) == refused.end();
    if (!answered || failed->plugin.empty()) return failed->error;
    log(LogLevel::kWarn,
        "planning again without '" + failed->plugin + "': " + to_string(failed->error));
    refused.push_back(failed->plugin);
    refusals.push_back(failed->error);
    Result<Plan> next = options.replan(refused);
    if (!next) {
      Error error = failed->error;
      error.remedy = "no plan goes on without '" + failed->plugin + "': " + to_string(next.error());
      return error;
    }
    plan = std::move(*next);
  }
}

}  // namespace runtime

Result<Session> Session::open(Plan plan, const PluginRegistry& registry, SessionOptions options) {
  return runtime::open_session(std::move(plan), runtime::RegistrySource(registry),
                               std::move(options));
}

}  // namespace attnrt
