// attend: page tables, then cuDNN's plan, on the caller's stream.
#include "attend.hpp"

#include "schedule.hpp"
#include "views.hpp"

namespace attnrt::cudnn {
namespace {

// Throws where a kernel could not be started.
void check_launch(const char* error) {
  if (error != nullptr) plugin::fail(ATTNRT_DEVICE_ERROR, "page tables: ", error);
}

class AttendOp : public plugin::Op {
 public:
  AttendOp(const cuda::Machine& machine, Library& library, const Layer& layer)
      : machine_(machine), layer_(layer), plans_(machine, library, layer_) {
    machine.use([] { check_launch(cuda::prepare_page_tables()); });
  }

  attnrt_workspace_sizes workspace(const attnrt_bounds& b) override {
    // Bounds may be those of other ops too.
    const int32_t q_len = layer_.op == ATTNRT_OP_DECODE ? 1 : b.q_len;
    const KnownPlan& known = plans_.for_bounds(shape_for(layer_, b.sequences, q_len, b.kv_len));
    const uint64_t bytes = state_bytes(known.shape.sequences);
    attnrt_workspace_sizes sizes{};
    sizes.state = {bytes, 256};
    sizes.scratch = {plans_.scratch_of(known).bytes, 256};
    sizes.staging = {bytes, 256};
    return sizes;
  }

  std::unique_ptr<plugin::Schedule> schedule(const attnrt_batch& batch,
                                             const attnrt_workspace& workspace,
                                             void* stream) override {
    return std::make_unique<BatchSchedule>(machine_, layer_, plans_, batch, workspace, stream);
  }

  void attend(plugin::Schedule& given, const attnrt_attend_args& a) override {
    const auto& schedule = static_cast<const BatchSchedule&>(given);
    check(schedule, a);
    if (schedule.tokens() == 0 && a.q.data == nullptr) return;
    const Plans::Scratch at = plans_.scratch_of(schedule.known());
    auto* scratch = static_cast<uint8_t*>(a.scratch);
    // The manifest's alignment is not lse's, which a part of a batch begins anywhere in.
    const bool in_place = a.lse.data != nullptr && is_aligned(a.lse.data);
    float* stats =
        in_place ? static_cast<float*>(a.lse.data) : reinterpret_cast<float*>(scratch + at.stats);
    const cuda::PageTableParams tables = page_tables(schedule, at, a, stats);
    machine_.use([&] {
      check_launch(cuda::launch_page_tables(a.stream, tables));
      if (a.cache.blocks != 0) run_plan(schedule, at, a, stats, tables);  // else none sees a key
      if (a.lse.data == nullptr || in_place) return;
      const uint64_t rows =
          static_cast<uint64_t>(schedule.tokens()) * static_cast<uint64_t>(layer_.shape.q_heads);
      machine_.copy(a.lse.data, stats, rows * sizeof(float), a.stream);
    });
  }

 private:
  static bool is_aligned(const void* data) {
    return reinterpret_cast<uintptr_t>(data) % kAlignment == 0;
  }

  void run_plan(const BatchSchedule& schedule, const Plans::Scratch& at,
                const attnrt_attend_args& a, float* stats,
                const cuda::PageTableParams& tables) const {
    schedule.known().plan->run(
        {a.q.data, a.cache.k.data, a.cache.v.data, a.out.data, stats,
         schedule.array(&Arrays::q_lengths), schedule.array(&Arrays::kv_lengths),
         schedule.array(&Arrays::q_offsets), schedule.array(&Arrays::out_offsets),
         schedule.array(&Arrays::stats_offsets), tables.k_table, tables.v_table,
         static_cast<uint8_t*>(a.scratch) + at.workspace},
        a.stream);
  }

  // stats: where lse is computed.
  cuda::PageTableParams page_tables(const BatchSchedule& schedule, const Plans::Scratch& at,
                                    const attnrt_attend_args& a, float* stats) const {
    auto* scratch = static_cast<uint8_t*>(a.scratch);
    const LayerShape& l = layer_.shape;
    cuda::PageTableParams p{};
    p.table = schedule.table();
    p.kv_lengths = schedule.array(&Arrays::kv_lengths);
    p.first_pages = schedule.array(&Arrays::first_pages);
    p.first_rows = schedule.array(&Arrays::first_rows);
    p.empty_rows = schedule.array(&Arrays::empty_rows);
    p.k_table = reinterpret_cast<int32_t*>(scratch);
    p.v_table = reinterpret_cast<int32_t*>(scratch + at.v_table);
    p.out = static_cast<uint8_t*>(a.out.data);
    p.lse = a.lse.data != nullptr ? stats : nullptr;
    p.sequences = schedule.known().shape.sequences;
    p.width = schedule.known().shape.width;
    p.block_size = l.block_size;
    p.k_pages_per_block = pages_per_block(a.cache.k, "cache.k", l, l.dim_qk, a.cache.blocks);
    p.v_pages_per_block = pages_per_block(a.cache.v, "cache.v", l, l.dim_v, a.cache.blocks);
    p.row_bytes = l.q_heads * l.dim_v * 2;
    p.heads = l.q_heads;
    return p;
  }

  void check(const BatchSchedule& schedule, const attnrt_attend_args& a) const {
    using plugin::require;
    const int32_t tokens = schedule.tokens();
    const LayerShape& l = layer_.shape;
    plugin::check_tensor(a.q, "q", layer_.dtype, tokens, l.q_heads, l.dim_qk);
    plugin::check_packed(a.q, "q");
    plugin::check_aligned(a.q, "q", kAlignment);
    plugin::check_tensor(a.out, "out", layer_.dtype, tokens, l.q_heads, l.dim_v);
    plugin::check_packed(a.out, "out");
    plugin::check_aligned(a.out, "out", kAlignment);
    if (a.lse.data != nullptr) {
      require(l.lse, "lse is given without the feature lse");
      plugin::check_tensor(a.lse, "lse", ATTNRT_DTYPE_F32, tokens, l.q_heads, 0);
      plugin::check_packed(a.lse, "lse");
    }
    plugin::check_cache(a.cache, l.kv_heads, l.block_size, /*latent=*/false, /*scaled=*/false);
    check_no_scale(a.q_scale, "q_scale");
    check_no_scale(a.out_scale, "out_scale");
    check_no_scale(a.cache.k_scale, "cache.k_scale");
    check_no_scale(a.cache.v_scale, "cache.v_scale");
    require(a.scratch != nullptr, "scratch is null");
  }

  const cuda::Machine& machine_;
  const Layer layer_;
  Plans plans_;
};

}  // namespace

std::unique_ptr<plugin::Op> make_attend(const cuda::Machine& machine, Library& library,
                                        const Layer& layer) {
  return std::make_unique<AttendOp>(machine, library, layer);
}

}  // namespace attnrt::cudnn
