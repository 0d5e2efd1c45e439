#include "hopper_attend.hpp"

#include <cstring>

#include "areas.hpp"
#include "views.hpp"

namespace attnrt::flashinfer {
namespace {

using cuda::Fence;
using cuda::Machine;
using plugin::require;

// PrefillSM90Plan's lists: seven of a number for each tile of each head, and where a
// multiprocessor's begin. Of the rows of a request the last tile may be short.
uint64_t plan_bytes(const Layer& layer, int32_t multiprocessors, const Capacity& c) {
  const int64_t tiles = (int64_t{c.tokens} + kHopperTileRows - 1) / kHopperTileRows + c.requests;
  return 7 * ints(tiles * layer.q_heads()) + ints(int64_t{multiprocessors} + 1) + kAreaAlignment;
}

class HopperSchedule : public plugin::Schedule {
 public:
  HopperSchedule(const Machine& machine, const Layer& layer, const attnrt_batch& batch,
                 const attnrt_workspace& workspace, void* stream)
      : machine_(machine), layer_(layer), workspace_(workspace) {
    machine.use([&] { copied_ = machine.make_fence(); });
    reschedule(batch, stream);
  }

  void reschedule(const attnrt_batch& b, void* stream) override {
    plugin::check_batch(b, 0);
    const Requests r = make_requests(layer_, b);
    const Capacity own = capacity_of(r);
    tokens_ = b.tokens;
    if (tokens_ == 0) return;
    if (r.count() > kHopperMostRequests) {
      plugin::fail(ATTNRT_UNSUPPORTED, "the batch has ", r.count(),
                   " sequences with queries, FlashInfer's Hopper kernel takes ",
                   kHopperMostRequests, ": divide the batch, or plan the layer for prefill");
    }
    plugin::check_workspace(workspace_, size_hopper(layer_, multiprocessors(), own));
    const std::vector<int32_t> kv_len = keys_of(r);
    const PlanInput input{r.q_begin.data(),
                          r.page_begin.data(),
                          r.count(),
                          own.tokens,
                          layer_.q_heads(),
                          layer_.kv_heads,
                          layer_.kernel.head_dim,
                          layer_.block_size,
                          /*window=*/0,
                          bytes_of(layer_.kernel.stored),
                          /*graph=*/false};
    indices_at_ = plan_bytes(layer_, multiprocessors(), own);
    auto* staging = static_cast<uint8_t*>(workspace_.staging);
    auto* state = static_cast<uint8_t*>(workspace_.state);
    machine_.use([&] {
      copied_->wait();  // or the copies under way would take what follows
      const char* error = plan_hopper(input, kv_len.data(),
                                      {state, staging, indices_at_, nullptr, 0}, stream, plan_);
      if (error != nullptr) {
        plugin::fail(ATTNRT_DEVICE_ERROR, "FlashInfer's PrefillSM90Plan: ", error);
      }
      if (!r.indices.empty()) {
        const uint64_t bytes = r.indices.size() * sizeof(int32_t);
        std::memcpy(staging + indices_at_, r.indices.data(), bytes);
        machine_.copy(state + indices_at_, staging + indices_at_, bytes, stream);
      }
      copied_->record(stream);
    });
  }

  [[nodiscard]] int32_t tokens() const { return tokens_; }
  [[nodiscard]] const HopperPlan& plan() const { return plan_; }
  [[nodiscard]] const void* ints() const { return workspace_.state; }
  [[nodiscard]] const int32_t* indices() const {
    return reinterpret_cast<const int32_t*>(static_cast<uint8_t*>(workspace_.state) + indices_at_);
  }

 private:
  [[nodiscard]] int32_t multiprocessors() const { return machine_.limits().multiprocessors; }

  [[nodiscard]] std::vector<int32_t> keys_of(const Requests& r) const {
    std::vector<int32_t> keys;
    for (size_t i = 0; i < r.last_page_len.size(); ++i) {
      keys.push_back(r.keys(i, layer_.block_size));
    }
    return keys;
  }

  const Machine& machine_;
  const Layer& layer_;
  attnrt_workspace workspace_;
  std::unique_ptr<Fence> copied_;  // behind the last copies out of staging
  HopperPlan plan_{};
  uint64_t indices_at_ = 0;
  int32_t tokens_ = 0;
};

class HopperOp : public plugin::Op {
 public:
  HopperOp(const Machine& machine, const Layer& layer) : machine_(machine), layer_(layer) {
    machine.use([&] {
      check_launch("FlashInfer's Hopper kernel", prepare_hopper(layer.kernel));
      check_launch("finish", prepare_finish(layer.kernel.half));
    });
  }

  attnrt_workspace_sizes workspace(const attnrt_bounds& bounds) override {
    return size_hopper(layer_, machine_.limits().multiprocessors, capacity_of(layer_, bounds));
  }

  std::unique_ptr<plugin::Schedule> schedule(const attnrt_batch& batch,
                                             const attnrt_workspace& workspace,
                                             void* stream) override {
    return std::make_unique<HopperSchedule>(machine_, layer_, batch, workspace, stream);
  }

  void attend(plugin::Schedule& given, const attnrt_attend_args& a) override {
    const auto& schedule = static_cast<const HopperSchedule&>(given);
    check_args(layer_, schedule.tokens(), a);
    require(a.cache.k_scale.count == 0 && a.cache.v_scale.count == 0,
            "cache.k_scale or cache.v_scale is given, but only 8-bit formats have one");
    check_q_strides(a.q);
    if (schedule.tokens() == 0) return;
    require(a.scratch != nullptr, "scratch is null");
    HopperParams params = make_params(schedule, a);
    FinishParams finish = finish_of(layer_, a, schedule.tokens());
    finish.part_lse = params.lse;
    if (finish.lse == nullptr) params.lse = nullptr;
    machine_.use([&] {
      check_launch("FlashInfer's Hopper kernel", launch_hopper(layer_.kernel, params, a.stream));
      if (finish.lse == nullptr) return;
      check_launch("finish", launch_finish(layer_.kernel.half, finish, a.stream));
    });
  }

 private:
  // q is copied by TMA.
  void check_q_strides(const attnrt_tensor& q) const {
    const int64_t most = (int64_t{1} << 40) / plugin::dtype_bytes(layer_.q_dtype);
    for (const int64_t s : {q.stride[0], q.stride[1]}) {
      require(s >= 0 && s < most, "q has a stride of ", s, " elements, TMA counts from 0 to ",
              most - 1);
    }
  }

  HopperParams make_params(const HopperSchedule& schedule, const attnrt_attend_args& a) const {
    HopperParams p{};
    p.plan = schedule.plan();
    p.ints = schedule.ints();
    p.indices = schedule.indices();
    p.q = a.q.data;
    p.q_token_stride = a.q.stride[0];
    p.q_head_stride = a.q.stride[1];
    p.out = a.out.data;
    p.out_token_stride = a.out.stride[0];
    p.out_head_stride = a.out.stride[1];
    p.lse = static_cast<float*>(a.scratch);
    p.k = to_view(a.cache.k, bytes_of(layer_.kernel.stored), "cache.k");
    p.v = to_view(a.cache.v, bytes_of(layer_.kernel.stored), "cache.v");
    check_same_strides(p.k.block_stride == p.v.block_stride && p.k.token_stride == p.v.token_stride,
                       "FlashInfer's Hopper kernel");
    p.tokens = schedule.tokens();
    p.q_heads = layer_.q_heads();
    p.kv_heads = layer_.kv_heads;
    p.block_size = layer_.block_size;
    p.multiprocessors = machine_.limits().multiprocessors;
    p.softmax_scale = layer_.softmax_scale;
    return p;
  }

  const Machine& machine_;
  const Layer layer_;
};

}  // namespace

attnrt_workspace_sizes size_hopper(const Layer& layer, int32_t multiprocessors, const Capacity& c) {
  const uint64_t state = plan_bytes(layer, multiprocessors, c) + ints(c.pages);
  const int64_t rows = int64_t{c.tokens} * layer.q_heads();
  attnrt_workspace_sizes sizes{};
  sizes.state = {state, kAreaAlignment};
  sizes.scratch = {ints(rows), kAreaAlignment};  // lse in base 2
  sizes.staging = {state, kAreaAlignment};
  return sizes;
}

std::unique_ptr<plugin::Op> make_hopper(const Machine& machine, const Layer& layer) {
  return std::make_unique<HopperOp>(machine, layer);
}

}  // namespace attnrt::flashinfer
