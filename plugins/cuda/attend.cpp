// attend: one launch of a grid that is the same for every batch.
#include "ops.hpp"
#include "schedule.hpp"
#include "views.hpp"

namespace attnrt::cuda {
namespace {

class AttendOp : public plugin::Op {
 public:
  AttendOp(const Machine& machine, const Layer& layer) : machine_(machine), layer_(layer) {
    const auto shared = static_cast<uint32_t>(machine.limits().shared_per_block);
    machine.use([&] {
      for (const bool by_rows : {false, true}) {
        check_launch("attend", prepare_attend(kernel_for(layer, by_rows), shared));
      }
    });
  }

  attnrt_workspace_sizes workspace(const attnrt_bounds& bounds) override {
    return size_workspace(layer_, machine_.limits(), bounds);
  }

  std::unique_ptr<plugin::Schedule> schedule(const attnrt_batch& batch,
                                             const attnrt_workspace& workspace,
                                             void* stream) override {
    return std::make_unique<BatchSchedule>(machine_, layer_, batch, workspace, stream);
  }

  void attend(plugin::Schedule& given, const attnrt_attend_args& a) override {
    const auto& schedule = static_cast<const BatchSchedule&>(given);
    check(schedule, a);
    const LaunchPlan& launch = schedule.launch();
    const Grid grid{launch.blocks, kThreads, launch.shared_bytes, a.stream};
    const AttendParams params = make_params(schedule, a);
    machine_.use([&] { check_launch("attend", launch_attend(launch.kernel, grid, params)); });
  }

 private:
  AttendParams make_params(const BatchSchedule& schedule, const attnrt_attend_args& a) const {
    AttendParams p{};
    p.batch = schedule.batch();
    p.first_item = schedule.first_item();
    p.arrived = schedule.arrived();
    p.partials = static_cast<float*>(a.scratch);
    p.q = to_view(a.q);
    p.out = to_view(a.out);
    p.lse = static_cast<float*>(a.lse.data);
    p.lse_token_stride = a.lse.stride[0];
    p.lse_head_stride = a.lse.stride[1];
    p.k = to_side(a.cache.k, layer_);
    p.v = to_side(a.cache.v, layer_);
    p.k_scale = to_view(a.cache.k_scale);
    // A latent cache has one tensor, and so one scale.
    p.v_scale = to_view(layer_.latent ? a.cache.k_scale : a.cache.v_scale);
    p.sinks = layer_.has(ATTNRT_FEATURE_SINKS) ? a.sinks : nullptr;
    p.alibi_slopes = layer_.has(ATTNRT_FEATURE_ALIBI) ? a.alibi_slopes : nullptr;
    p.block_size = make_divisor(static_cast<uint32_t>(layer_.block_size));
    p.group = make_divisor(static_cast<uint32_t>(layer_.group));
    p.dim_qk = layer_.dim_qk;
    p.dim_v = layer_.dim_v;
    p.latent = layer_.latent ? 1 : 0;
    p.swizzled = layer_.swizzled ? 1 : 0;
    p.window = layer_.window;
    p.mask = layer_.mask;
    p.softmax_scale = layer_.softmax_scale;
    p.softcap = layer_.softcap;
    p.slots = schedule.launch().slots;
    return p;
  }

  void check(const BatchSchedule& schedule, const attnrt_attend_args& a) const {
    using plugin::require;
    const int32_t tokens = schedule.tokens();
    plugin::check_tensor(a.q, "q", layer_.q_dtype, tokens, layer_.q_heads(), layer_.dim_qk);
    plugin::check_tensor(a.out, "out", layer_.out_dtype, tokens, layer_.q_heads(), layer_.dim_v);
    if (a.lse.data != nullptr) {
      plugin::check_tensor(a.lse, "lse", ATTNRT_DTYPE_F32, tokens, layer_.q_heads(), 0);
    }
    check_no_scale(a.q_scale, "q_scale");
    check_no_scale(a.out_scale, "out_scale");
    require(!layer_.has(ATTNRT_FEATURE_SINKS) || a.sinks != nullptr, "sinks is null");
    require(!layer_.has(ATTNRT_FEATURE_ALIBI) || a.alibi_slopes != nullptr, "alibi_slopes is null");
    require(a.scratch != nullptr, "scratch is null");
    check_cache(a.cache, layer_);
  }

  const Machine& machine_;
  const Layer layer_;
};

}  // namespace

std::unique_ptr<plugin::Op> make_attend(const Machine& machine, const Layer& layer) {
  return std::make_unique<AttendOp>(machine, layer);
}

}  // namespace attnrt::cuda
