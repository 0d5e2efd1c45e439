// A session's other calls: layers' parameters, merging, copies of blocks.
#include "attnrt/session.hpp"

#include <string>

#include "load/plugin_call.hpp"
#include "run/op_call.hpp"
#include "run/tensor_check.hpp"

namespace attnrt {

using runtime::LayerCode;

namespace {

Error bad_layer(int32_t layer, size_t layers) {
  return Error{ErrorCode::kInvalid, "layer " + std::to_string(layer),
               "0 … " + std::to_string(static_cast<int64_t>(layers) - 1), std::to_string(layer),
               "layers are numbered as in the plan"};
}

Status check_scale(const char* what, const LayerCode& code, const attnrt_scale& scale,
                   int32_t heads) {
  const bool none = scale.data == nullptr && scale.count == 0;
  const bool one = scale.data != nullptr && scale.count == 1;
  const bool per_head = scale.data != nullptr && scale.count == heads && code.per_head_scales;
  if (none || one || per_head) return Done{};
  return Error{ErrorCode::kInvalid, "layer " + std::to_string(code.index) + ", " + what,
               code.per_head_scales ? "none, 1 or " + std::to_string(heads) + " factors"
                                    : "none or 1 factor",
               std::to_string(scale.count) + (scale.data == nullptr ? " at a null pointer" : ""),
               "plan with the feature per_head_scales to give one a head"};
}

}  // namespace

TensorView make_tensor(void* data, DType dtype, std::initializer_list<int64_t> shape) {
  TensorView t{};
  t.data = data;
  t.dtype = static_cast<int32_t>(dtype);
  t.rank = static_cast<int32_t>(shape.size());
  int64_t stride = 1;
  int32_t axis = t.rank;
  for (auto size = std::rbegin(shape); size != std::rend(shape); ++size) {
    t.shape[--axis] = *size;
    t.stride[axis] = stride;
    stride *= *size;
  }
  return t;
}

TensorView make_tensor(const void* data, DType dtype, std::initializer_list<int64_t> shape) {
  // The ABI has one tensor type; inputs are never written.
  return make_tensor(const_cast<void*>(data), dtype, shape);
}

Session::Impl::~Impl() {
  idle.clear();  // their memory may be a device's
  cache = {};
  scratch = {};
  ops.clear();
}

attnrt_bounds Session::Impl::bounds() const {
  attnrt_bounds b{};
  b.struct_size = sizeof b;
  b.sequences = options.max_sequences;
  b.tokens = options.max_tokens;
  b.q_len = options.max_tokens;
  b.kv_len = options.max_kv_len;
  return b;
}

DeviceFunctions Session::Impl::device() const {
  for (const auto& instance : instances) {
    if (instance->service() != nullptr) return {instance->service(), instance->handle()};
  }
  return {};
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

const Plan& Session::plan() const {
  return impl_->plan;
}
const std::vector<PluginUse>& Session::plugins() const {
  return impl_->uses;
}
const std::vector<Error>& Session::refusals() const {
  return impl_->refusals;
}
DeviceFunctions Session::device() const {
  return impl_->device();
}
BlockPool& Session::pool() {
  return impl_->pool;
}

BlockTables Session::make_tables(uint32_t group) {
  const runtime::GroupCode& code = impl_->groups[group];
  return BlockTables(impl_->pool, group, code.limits.block_size, code.limits.window);
}

const attnrt_cache_view& Session::view(int32_t layer) const {
  return impl_->layers[static_cast<size_t>(layer)].attend_args.cache;
}

Status Session::set_layer(int32_t layer, const LayerParameters& p) {
  if (static_cast<size_t>(layer) >= impl_->layers.size()) {
    return bad_layer(layer, impl_->layers.size());
  }
  LayerCode& code = impl_->layers[static_cast<size_t>(layer)];
  if (Status s = check_scale("k_scale", code, p.k_scale, code.kv_heads); !s) return s;
  if (Status s = check_scale("v_scale", code, p.v_scale, code.kv_heads); !s) return s;
  if (Status s = check_scale("q_scale", code, p.q_scale, code.q_heads); !s) return s;
  if (Status s = check_scale("out_scale", code, p.out_scale, code.q_heads); !s) return s;
  if ((p.sinks != nullptr && !code.sinks) || (p.alibi_slopes != nullptr && !code.alibi)) {
    return Error{ErrorCode::kInvalid, "layer " + std::to_string(layer),
                 "a model with sinks or ALiBi, to set them", "one without",
                 "say so in the model's geometry"};
  }
  for (attnrt_cache_view* view : {&code.append_args.cache, &code.attend_args.cache}) {
    view->k_scale = p.k_scale;
    view->v_scale = p.v_scale;
  }
  code.append_args.nan_count = p.nan_count;
  code.attend_args.q_scale = p.q_scale;
  code.attend_args.out_scale = p.out_scale;
  code.attend_args.sinks = p.sinks;
  code.attend_args.alibi_slopes = p.alibi_slopes;
  return Done{};
}

Status Session::merge(int32_t layer, std::span<const TensorView> part_out,
                      std::span<const TensorView> part_lse, const TensorView& out,
                      const TensorView& lse, void* stream) {
  if (static_cast<size_t>(layer) >= impl_->layers.size()) {
    return bad_layer(layer, impl_->layers.size());
  }
  const LayerCode& code = impl_->layers[static_cast<size_t>(layer)];
  if (code.merge == nullptr) {
    return Error{ErrorCode::kNoBackend, "layer " + std::to_string(layer) + ", merge",
                 "a plugin of the plan that merges this head size and dtype", "none",
                 "prefer a plugin whose manifest lists the op merge"};
  }
  if (part_out.empty() || part_out.size() != part_lse.size()) {
    return Error{ErrorCode::kInvalid, "layer " + std::to_string(layer) + ", merge",
                 "as many outputs as lse, at least one",
                 std::to_string(part_out.size()) + " and " + std::to_string(part_lse.size()),
                 "pass both tensors of every part"};
  }
  if (impl_->options.checked == Checked::kOn) {
    const int64_t tokens = out.shape[0];
    for (size_t i = 0; i < part_out.size(); ++i) {
      Status o = runtime::check_rows("part", code, part_out[i], ATTNRT_DTYPE_F32, tokens, true);
      if (!o) return o;
      Status l =
          runtime::check_rows("part's lse", code, part_lse[i], ATTNRT_DTYPE_F32, tokens, false);
      if (!l) return l;
    }
    if (Status s = runtime::check_rows("out", code, out, code.out_dtype, tokens, true); !s)
      return s;
    if (lse.data != nullptr) {
      Status s = runtime::check_rows("lse", code, lse, ATTNRT_DTYPE_F32, tokens, false);
      if (!s) return s;
    }
  }
  attnrt_merge_args args{};
  args.struct_size = sizeof args;
  args.parts = static_cast<int32_t>(part_out.size());
  args.part_out = part_out.data();
  args.part_lse = part_lse.data();
  args.out = out;
  args.lse = lse;
  args.out_scale = code.attend_args.out_scale;
  args.stream = stream;
  const runtime::PreparedOp& op = *code.merge;
  return runtime::call_op(*impl_, op, layer, stream, "merge",
                          [&](attnrt_error* error) { return op.merge(op.handle, &args, error); });
}

Status Session::copy_blocks(uint32_t group, std::span<const BlockPair> pairs, void* stream) {
  if (group >= impl_->groups.size()) {
    return Error{ErrorCode::kInvalid, "copy_blocks",
                 "a group below " + std::to_string(impl_->groups.size()), std::to_string(group),
                 "see plan().groups"};
  }
  const runtime::GroupCode& code = impl_->groups[group];
  for (size_t i = 0; i < pairs.size(); ++i) {
    for (const int32_t id : {pairs[i].from, pairs[i].to}) {
      if (id >= 0 && id < code.limits.blocks) continue;
      return Error{ErrorCode::kInvalid,
                   "copy_blocks, group " + std::to_string(group) + ", pair " + std::to_string(i),
                   "block ids in 0 … " + std::to_string(code.limits.blocks - 1), std::to_string(id),
                   "copy blocks of this group's tables"};
    }
  }
  const DeviceFunctions device = impl_->device();
  if (device.service == nullptr) {
    attnrt::copy_blocks(code.runs, pairs);
    return Done{};
  }
  for (const BlockPair& pair : pairs) {
    for (const BlockRun& run : code.runs) {
      Status copied = load::call_plugin("copy_blocks", "copy", [&](attnrt_error* error) {
        return device.service->copy(device.instance, run.base + pair.to * run.block_stride,
                                    run.base + pair.from * run.block_stride,
                                    static_cast<uint64_t>(run.bytes), stream, error);
      });
      if (!copied) return copied;
    }
  }
  return Done{};
}

std::function<Result<Plan>(const std::vector<std::string>&)> replan_without(
    ModelGeometry model, Device device, PlanOptions options, const Catalog& catalog) {
  return [model = std::move(model), device = std::move(device), options = std::move(options),
          &catalog](const std::vector<std::string>& refused) -> Result<Plan> {
    PlanOptions without = options;
    for (const std::string& plugin : refused) {
      if (plugin == without.policy.require) {
        return Error{ErrorCode::kPluginRefused, "plugin '" + plugin + "'", "",
                     "it is required and has refused", "require another plugin, or none"};
      }
      std::erase(without.policy.prefer, plugin);
      without.policy.deny.push_back(plugin);
    }
    Result<PlanOutcome> outcome = attnrt::plan(model, device, without, catalog);
    if (!outcome) return outcome.error();
    if (outcome->plan) return std::move(*outcome->plan);
    const Refusal& first = outcome->refusals.front();
    return Error{ErrorCode::kNoBackend,
                 "layer " + std::to_string(first.layer) + ", " + std::string(name(first.op)),
                 "a backend", "none can serve it", "see attnrt plan for the reasons"};
  };
}

}  // namespace attnrt
