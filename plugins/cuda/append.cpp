// append: a warp a row.
#include "kernels/cuda/kernels.hpp"
#include "ops.hpp"
#include "views.hpp"

namespace attnrt::cuda {
namespace {

class AppendOp : public plugin::Op {
 public:
  AppendOp(const Machine& machine, const Layer& layer) : machine_(machine), layer_(layer) {
    machine.use([&] { check_launch("append", prepare_append(layer.format)); });
  }

  void append(const attnrt_append_args& a) override {
    check(a);
    if (a.tokens == 0) return;
    AppendParams p{};
    p.k = to_view(a.k);
    if (!layer_.latent) p.v = to_view(a.v);
    p.k_side = to_side(a.cache.k, layer_);
    p.v_side = to_side(a.cache.v, layer_);
    p.k_scale = to_view(a.cache.k_scale);
    p.v_scale = to_view(a.cache.v_scale);
    p.slots = a.slot_mapping.device;
    p.tokens = a.tokens;
    p.heads = layer_.kv_heads;
    p.dim_k = layer_.dim_qk;
    p.dim_v = layer_.latent ? 0 : layer_.dim_v;
    p.swizzled = layer_.swizzled ? 1 : 0;
    p.block_size = layer_.block_size;
    static_assert(sizeof(unsigned long long) == sizeof(uint64_t));
    p.nan_count = reinterpret_cast<unsigned long long*>(a.nan_count);
    machine_.use([&] { check_launch("append", launch_append(layer_.format, a.stream, p)); });
  }

 private:
  void check(const attnrt_append_args& a) const {
    using plugin::require;
    require(a.tokens >= 0, "tokens is ", a.tokens);
    plugin::check_tensor(a.k, "k", layer_.q_dtype, a.tokens, layer_.kv_heads, layer_.dim_qk);
    if (!layer_.latent) {
      plugin::check_tensor(a.v, "v", layer_.q_dtype, a.tokens, layer_.kv_heads, layer_.dim_v);
    }
    check_cache(a.cache, layer_);
    if (a.tokens == 0) return;
    require(a.slot_mapping.device != nullptr, "slot_mapping.device is null");
    if (a.slot_mapping.host == nullptr) return;
    const int64_t slots = a.cache.blocks * layer_.block_size;
    for (int32_t t = 0; t < a.tokens; ++t) {
      require(a.slot_mapping.host[t] < slots, "slot_mapping[", t, "] is ", a.slot_mapping.host[t],
              ", the cache has ", slots, " slots");
    }
  }

  const Machine& machine_;
  const Layer layer_;
};

}  // namespace

std::unique_ptr<plugin::Op> make_append(const Machine& machine, const Layer& layer) {
  return std::make_unique<AppendOp>(machine, layer);
}

}  // namespace attnrt::cuda
