// append: real / scale, rounded to the format, into the slot of each token.
#include <numeric>
#include <vector>

#include "elements.hpp"
#include "ops.hpp"
#include "workers.hpp"

namespace attnrt::reference {
namespace {

class AppendOp : public plugin::Op {
 public:
  AppendOp(const plugin::Host& host, const Layer& layer)
      : host_(host), layer_(layer), lost_(static_cast<size_t>(worker_count(host))) {}

  void append(const attnrt_append_args& a) override {
    const attnrt_layer_class& c = layer_.c;
    plugin::require(a.tokens >= 0, "tokens is ", a.tokens);
    check_view(a.cache, layer_);
    plugin::check_tensor(a.k, "k", c.q_dtype, a.tokens, c.kv_heads, c.head_dim_qk);
    if (!layer_.latent()) {
      plugin::check_tensor(a.v, "v", c.q_dtype, a.tokens, c.kv_heads, c.head_dim_v);
    }
    if (a.tokens == 0) return;
    check_slots(a);

    const CacheRows k(*layer_.format, a.cache.k, c.head_dim_qk, false);
    std::fill(lost_.begin(), lost_.end(), 0);
    store_side(a, a.k, a.cache.k_scale, k, c.head_dim_qk);
    if (!layer_.latent()) {
      const CacheRows v(*layer_.format, a.cache.v, c.head_dim_v, true);
      store_side(a, a.v, a.cache.v_scale, v, c.head_dim_v);
    }
    if (a.nan_count != nullptr) {
      *a.nan_count += std::accumulate(lost_.begin(), lost_.end(), uint64_t{0});
    }
  }

 private:
  void check_slots(const attnrt_append_args& a) const {
    plugin::require(a.slot_mapping.host != nullptr, "slot_mapping.host is null");
    const int64_t slots = a.cache.blocks * layer_.c.block_size;
    for (int32_t t = 0; t < a.tokens; ++t) {
      plugin::require(a.slot_mapping.host[t] < slots, "slot_mapping[", t, "] is ",
                      a.slot_mapping.host[t], ", the cache has ", slots, " slots");
    }
  }

  void store_side(const attnrt_append_args& a, const attnrt_tensor& from, const attnrt_scale& scale,
                  const CacheRows& rows, int32_t values) {
    const int32_t heads = layer_.c.kv_heads;
    const auto workers = static_cast<int32_t>(lost_.size());
    for_each_item(host_, workers, int64_t{a.tokens} * heads, [&](int32_t worker, int64_t i) {
      const auto token = i / heads;
      const auto head = static_cast<int32_t>(i % heads);
      const int64_t slot = a.slot_mapping.host[token];
      if (slot < 0) return;
      const uint8_t* source = tensor_row(from, token, head);
      float x[kMaxHeadDim];
      for (int32_t d = 0; d < values; ++d) {
        // f64 inputs are rounded to float first: codecs are defined on floats.
        const float real = to_float(read_element(from.dtype, source, d));
        x[d] = real / plugin::scale_of(scale, head);
      }
      const int64_t block = slot / layer_.c.block_size;
      const auto token_in_block = static_cast<int32_t>(slot % layer_.c.block_size);
      const int32_t lost = rows.write({block, token_in_block, head}, x);
      lost_[static_cast<size_t>(worker)] += static_cast<uint64_t>(lost);
    });
  }

  plugin::Host host_;
  Layer layer_;
  std::vector<uint64_t> lost_;  // NaN that the format could not store, by worker
};

}  // namespace

std::unique_ptr<plugin::Op> make_append(const plugin::Host& host, const Layer& layer) {
  return std::make_unique<AppendOp>(host, layer);
}

}  // namespace attnrt::reference
