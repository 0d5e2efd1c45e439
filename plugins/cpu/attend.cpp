// attend: threads take items until none is left, those of their own memory node first; whoever ends
// the last part of a split unit puts the parts together.
#include <algorithm>
#include <atomic>

#include "item_queue.hpp"
#include "ops.hpp"
#include "schedule.hpp"
#include "views.hpp"

namespace attnrt::cpu {
namespace {

constexpr int64_t kAlignment = 64;
// Work (see Division::cost) below which waking another thread takes longer than doing it.
constexpr int64_t kCostPerWorker = 4000;
// Calls after which the system is asked again where pages are: it may have moved them.
constexpr int64_t kCallsOfNodes = 4096;

int64_t aligned(int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

class AttendOp : public plugin::Op {
 public:
  AttendOp(Context& context, const Layer& layer)
      : context_(context),
        layer_(layer),
        worker_bytes_(aligned(context.kernels->attend_scratch(layer.params) * 4)),
        queue_(context.nodes.count()) {}

  // scratch: a part for each thread, then the partial results.
  attnrt_workspace_sizes workspace(const attnrt_bounds& bounds) override {
    const int64_t floats =
        max_partial_floats(layer_.params, bounds, layer_.has(ATTNRT_FEATURE_BATCH_INVARIANT));
    const int64_t bytes = worker_bytes_ * context_.team.threads() + floats * 4;
    attnrt_workspace_sizes sizes = Op::workspace(bounds);
    sizes.scratch = {static_cast<uint64_t>(bytes), kAlignment};
    return sizes;
  }

  std::unique_ptr<plugin::Schedule> schedule(const attnrt_batch& batch,
                                             const attnrt_workspace& workspace, void*) override {
    auto made = std::make_unique<BatchSchedule>(batch, layer_);
    const int64_t needed =
        worker_bytes_ * context_.team.threads() + made->division().partial_floats * 4;
    const auto given = static_cast<int64_t>(workspace.scratch_bytes);
    plugin::require(made->division().items.empty() || given >= needed, "scratch has ", given,
                    " bytes, this batch needs ", needed,
                    ": ask for a workspace with bounds that hold the batch");
    return made;
  }

  void attend(plugin::Schedule& given, const attnrt_attend_args& a) override {
    const auto& schedule = static_cast<const BatchSchedule&>(given);
    check(schedule, a);
    const Division& d = schedule.division();
    if (d.items.empty()) return;
    const AttendParams params = make_params(schedule, a);
    const int64_t workers = std::min<int64_t>({d.cost / kCostPerWorker + 1, context_.team.threads(),
                                               static_cast<int64_t>(d.items.size())});
    fill_queue(d, params);
    const bool alone = context_.nodes.count() == 1;
    auto body = [&](int64_t worker) noexcept {
      auto* scratch = reinterpret_cast<float*>(bytes_of(a.scratch) + worker * worker_bytes_);
      const int node = alone ? 0 : context_.nodes.here();
      for (size_t i = queue_.take(node); i != ItemQueue::kNone; i = queue_.take(node)) {
        run_item(schedule, params, d.items[i], scratch);
      }
    };
    context_.team.run(workers, body);
  }

 private:
  void fill_queue(const Division& d, const AttendParams& params) {
    if (context_.nodes.count() == 1) return queue_.fill(d.items.size());
    if (++calls_ % kCallsOfNodes == 0) context_.nodes.forget();
    find_nodes(d.items, params, context_.nodes, node_of_item_);
    queue_.fill(node_of_item_);
  }

  void run_item(const BatchSchedule& schedule, const AttendParams& params, const WorkItem& item,
                float* scratch) const {
    context_.kernels->attend(params, item, scratch);
    if (item.unit < 0 || !count_down(schedule, item.unit)) return;
    const Division& d = schedule.division();
    const SplitUnit& unit = d.units[static_cast<size_t>(item.unit)];
    if (unit.rows.shared == 0) return context_.kernels->finish(params, unit, scratch);
    const SharedTile& tile = d.tiles[static_cast<size_t>(unit.tile)];
    for (int32_t i = tile.first_follower; i < tile.first_follower + tile.followers; ++i) {
      const SplitUnit& follower = d.units[static_cast<size_t>(i)];
      if (!follows(follower, unit) || !count_down(schedule, i)) continue;
      context_.kernels->finish(params, follower, scratch);
    }
  }

  // Whether this was the last that the unit waited for.
  static bool count_down(const BatchSchedule& schedule, int32_t unit) {
    std::atomic<int32_t>& done = schedule.done(unit);
    const int32_t waits = schedule.division().units[static_cast<size_t>(unit)].waits;
    if (done.fetch_add(1, std::memory_order_acq_rel) + 1 < waits) return false;
    done.store(0, std::memory_order_relaxed);
    return true;
  }

  AttendParams make_params(const BatchSchedule& schedule, const attnrt_attend_args& a) const {
    AttendParams p{};
    p.layer = layer_.params;
    p.batch = schedule.batch();
    p.q = to_view(a.q);
    p.out = to_view(a.out);
    p.lse = bytes_of(a.lse.data);
    p.lse_token_stride = a.lse.stride[0] * 4;
    p.lse_head_stride = a.lse.stride[1] * 4;
    p.k = to_view(a.cache.k);
    p.v = to_view(a.cache.v);
    p.k_scale = to_view(a.cache.k_scale);
    // A latent cache has one tensor, and so one scale.
    p.v_scale = to_view(layer_.params.latent != 0 ? a.cache.k_scale : a.cache.v_scale);
    p.sinks = layer_.has(ATTNRT_FEATURE_SINKS) ? a.sinks : nullptr;
    p.alibi_slopes = layer_.has(ATTNRT_FEATURE_ALIBI) ? a.alibi_slopes : nullptr;
    p.units = schedule.division().units.data();
    p.tiles = schedule.division().tiles.data();
    p.shared_tokens = schedule.division().shared_tokens.data();
    p.partials =
        reinterpret_cast<float*>(bytes_of(a.scratch) + worker_bytes_ * context_.team.threads());
    return p;
  }

  void check(const BatchSchedule& schedule, const attnrt_attend_args& a) const {
    using plugin::require;
    const LayerParams& p = layer_.params;
    const int32_t tokens = schedule.tokens();
    plugin::check_tensor(a.q, "q", layer_.q_dtype, tokens, p.q_heads, p.dim_qk);
    plugin::check_tensor(a.out, "out", layer_.out_dtype, tokens, p.q_heads, p.dim_v);
    check_lse(a.lse, tokens, p.q_heads);
    check_no_scale(a.q_scale, "q_scale");
    check_no_scale(a.out_scale, "out_scale");
    require(!layer_.has(ATTNRT_FEATURE_SINKS) || a.sinks != nullptr, "sinks is null");
    require(!layer_.has(ATTNRT_FEATURE_ALIBI) || a.alibi_slopes != nullptr, "alibi_slopes is null");
    require(a.scratch != nullptr || schedule.division().items.empty(), "scratch is null");
    check_cache(a.cache, p);
  }

  Context& context_;
  Layer layer_;
  int64_t worker_bytes_;
  ItemQueue queue_;
  std::vector<int> node_of_item_;
  int64_t calls_ = 0;
};

}  // namespace

std::unique_ptr<plugin::Op> make_attend(Context& context, const Layer& layer) {
  return std::make_unique<AttendOp>(context, layer);
}

}  // namespace attnrt::cpu
