// append: rows of k and v into the slots of their tokens, divided among threads by tokens.
#include <algorithm>
#include <atomic>

#include "ops.hpp"
#include "views.hpp"

namespace attnrt::cpu {
namespace {

constexpr int64_t kValuesPerWorker = 64 * 1024;  // fewer are not worth a thread's waking

class AppendOp : public plugin::Op {
 public:
  AppendOp(Context& context, const Layer& layer) : context_(context), layer_(layer) {}

  void append(const attnrt_append_args& a) override {
    check(a);
    if (a.tokens == 0) return;
    const LayerParams& p = layer_.params;
    const AppendParams params{p.format,
                              to_dtype(layer_.q_dtype),
                              p.kv_heads,
                              p.dim_qk,
                              p.latent != 0 ? 0 : p.dim_v,
                              p.block_size,
                              to_view(a.k),
                              p.latent != 0 ? DenseView{} : to_view(a.v),
                              to_view(a.cache.k),
                              to_view(a.cache.v),
                              to_view(a.cache.k_scale),
                              to_view(a.cache.v_scale),
                              a.slot_mapping.host};
    const int64_t values = int64_t{a.tokens} * p.kv_heads * (p.dim_qk + p.dim_v);
    const int64_t workers = std::min<int64_t>(
        {values / kValuesPerWorker + 1, context_.team.threads(), int64_t{a.tokens}});
    std::atomic<uint64_t> lost{0};
    auto body = [&](int64_t i) noexcept {
      const int64_t begin = a.tokens * i / workers;
      const int64_t end = a.tokens * (i + 1) / workers;
      lost.fetch_add(context_.kernels->append(params, begin, end), std::memory_order_relaxed);
    };
    context_.team.run(workers, body);
    if (a.nan_count != nullptr) *a.nan_count += lost.load();
  }

 private:
  void check(const attnrt_append_args& a) const {
    using plugin::require;
    const LayerParams& p = layer_.params;
    require(a.tokens >= 0, "tokens is ", a.tokens);
    plugin::check_tensor(a.k, "k", layer_.q_dtype, a.tokens, p.kv_heads, p.dim_qk);
    if (p.latent == 0) {
      plugin::check_tensor(a.v, "v", layer_.q_dtype, a.tokens, p.kv_heads, p.dim_v);
    }
    check_cache(a.cache, p);
    if (a.tokens == 0) return;
    require(a.slot_mapping.host != nullptr, "slot_mapping.host is null");
    const int64_t slots = a.cache.blocks * p.block_size;
    for (int32_t t = 0; t < a.tokens; ++t) {
      require(a.slot_mapping.host[t] < slots, "slot_mapping[", t, "] is ", a.slot_mapping.host[t],
              ", the cache has ", slots, " slots");
    }
  }

  Context& context_;
  Layer layer_;
};

}  // namespace

std::unique_ptr<plugin::Op> make_append(Context& context, const Layer& layer) {
  return std::make_unique<AppendOp>(context, layer);
}

}  // namespace attnrt::cpu
