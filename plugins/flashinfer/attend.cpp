// attend: FlashInfer's kernel, and where contexts were divided, or strides or lse are not as it
// writes them, one launch that finishes.
#include "attend.hpp"

#include "schedule.hpp"
#include "views.hpp"

namespace attnrt::flashinfer {
namespace {

using plugin::require;

class AttendOp : public plugin::Op {
 public:
  AttendOp(const Machine& machine, const Layer& layer) : machine_(machine), layer_(layer) {
    machine.use([&] {
      check_launch("FlashInfer's kernel",
                   prepare_attend(layer.kernel, machine.limits().shared_per_multiprocessor));
      check_launch("finish", prepare_finish(layer.kernel.half));
    });
  }

  attnrt_workspace_sizes workspace(const attnrt_bounds& bounds) override {
    most_ = capacity_of(layer_, bounds);
    return size_workspace(layer_, machine_.limits().multiprocessors, most_);
  }

  std::unique_ptr<plugin::Schedule> schedule(const attnrt_batch& batch,
                                             const attnrt_workspace& workspace,
                                             void* stream) override {
    return std::make_unique<BatchSchedule>(machine_, layer_, most_, batch, workspace, stream);
  }

  void attend(plugin::Schedule& given, const attnrt_attend_args& a) override {
    const auto& schedule = static_cast<const BatchSchedule&>(given);
    check(schedule, a);
    const Plan& plan = schedule.plan();
    if (plan.blocks == 0) return;
    AttendParams params = make_params(schedule, a);
    FinishParams finish = make_finish(schedule, a);
    if (finish.part_out == nullptr) params.out = a.out.data;
    machine_.use([&] {
      check_launch("FlashInfer's kernel",
                   launch_attend(layer_.kernel, machine_.limits().shared_per_multiprocessor, params,
                                 a.stream));
      if (finish.part_out == nullptr && finish.lse == nullptr) return;
      check_launch("finish", launch_finish(layer_.kernel.half, finish, a.stream));
    });
  }

 private:
  // Where rows stand in scratch: FlashInfer's parts, or whole rows in its strides.
  struct Rows {
    void* out;
    float* lse;
  };
  Rows rows_in(const BatchSchedule& schedule, void* scratch) const {
    const Plan& plan = schedule.plan();
    auto* memory = static_cast<uint8_t*>(scratch);
    const int64_t bytes = int64_t{schedule.capacity().tokens} * layer_.q_heads() *
                          layer_.kernel.head_dim * plugin::dtype_bytes(layer_.q_dtype);
    return {memory + (plan.split ? plan.part_out : 0),
            reinterpret_cast<float*>(memory + (plan.split ? plan.part_lse : bytes))};
  }

  AttendParams make_params(const BatchSchedule& schedule, const attnrt_attend_args& a) const {
    const int32_t bytes = bytes_of(layer_.kernel.stored);
    const Rows rows = rows_in(schedule, a.scratch);
    AttendParams p{};
    p.plan = schedule.plan();
    p.requests = schedule.requests();
    p.ints = schedule.ints();
    p.q = a.q.data;
    p.q_token_stride = a.q.stride[0];
    p.q_head_stride = a.q.stride[1];
    p.out = rows.out;
    p.lse = rows.lse;
    p.k = to_view(a.cache.k, bytes, "cache.k");
    p.v = to_view(a.cache.v, bytes, "cache.v");
    p.k_scale = scale_data(a.cache.k_scale, "cache.k_scale");
    p.v_scale = scale_data(a.cache.v_scale, "cache.v_scale");
    p.q_heads = layer_.q_heads();
    p.kv_heads = layer_.kv_heads;
    p.block_size = layer_.block_size;
    p.window = layer_.window;
    p.softmax_scale = layer_.softmax_scale;
    p.softcap = layer_.softcap;
    return p;
  }

  FinishParams make_finish(const BatchSchedule& schedule, const attnrt_attend_args& a) const {
    const Plan& plan = schedule.plan();
    const Rows rows = rows_in(schedule, a.scratch);
    const auto* ints = static_cast<const uint8_t*>(schedule.ints());
    const int64_t dim = layer_.kernel.head_dim;
    const bool as_written = a.out.stride[0] == layer_.q_heads() * dim && a.out.stride[1] == dim;
    FinishParams p = finish_of(layer_, a, schedule.capacity().tokens);
    p.part_out = plan.split || !as_written ? rows.out : nullptr;
    p.part_lse = rows.lse;
    if (plan.split) p.part_begin = reinterpret_cast<const int32_t*>(ints + plan.part_begin);
    if (plan.graph) p.used = reinterpret_cast<const uint32_t*>(ints + plan.tokens);
    return p;
  }

  void check(const BatchSchedule& schedule, const attnrt_attend_args& a) const {
    check_args(layer_, schedule.tokens(), a);
    require(a.scratch != nullptr || schedule.plan().blocks == 0, "scratch is null");
    require(a.q.stride[0] <= INT32_MAX && a.q.stride[1] <= INT32_MAX, "q has strides of ",
            a.q.stride[0], " and ", a.q.stride[1], " elements, FlashInfer counts 31 bits");
  }

  const Machine& machine_;
  const Layer layer_;
  Capacity most_{};  // of the bounds that were asked for last
};

}  // namespace

std::unique_ptr<plugin::Op> make_attend(const cuda::Machine& machine, const Layer& layer) {
  return std::make_unique<AttendOp>(machine, layer);
}

}  // namespace attnrt::flashinfer
