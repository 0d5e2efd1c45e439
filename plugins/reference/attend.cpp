// attend: one pass over the keys in their order, with the running maximum subtracted from the
// scores. A query's result depends on nothing but itself and its keys, so it is batch-invariant.
#include <cmath>
#include <limits>
#include <vector>

#include "elements.hpp"
#include "mask.hpp"
#include "ops.hpp"
#include "workers.hpp"

namespace attnrt::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A softmax in progress: the largest score so far, the sum of exp(score - largest).
struct Softmax {
  double largest;
  double sum;
};

// The memory of one worker: q and the accumulators of a tile, and one row of K and V.
struct Memory {
  std::vector<double> q;      // [queries, group, head_dim_qk]
  std::vector<double> acc;    // [queries, group, head_dim_v]
  std::vector<Softmax> soft;  // [queries, group]
  std::vector<double> k;
  std::vector<double> v;
};

Memory make_memory(const Layer& layer) {
  const auto rows = static_cast<size_t>(kTileQueries) * static_cast<size_t>(layer.group());
  const auto qk = static_cast<size_t>(layer.c.head_dim_qk);
  const auto v = static_cast<size_t>(layer.c.head_dim_v);
  return {std::vector<double>(rows * qk), std::vector<double>(rows * v), std::vector<Softmax>(rows),
          std::vector<double>(qk), std::vector<double>(v)};
}

// What one call works on.
struct Call {
  const Layer& layer;
  const BatchSchedule& schedule;
  const attnrt_attend_args& args;
  const CacheRows& k;
  const CacheRows* v;  // null: latent
};

// One tile of queries and the query heads of one KV head.
class TileWork {
 public:
  TileWork(const Call& call, const Tile& tile, int32_t kv_head, Memory& memory)
      : call_(call),
        layer_(call.layer),
        tile_(tile),
        sequence_(call.schedule.sequences()[static_cast<size_t>(tile.sequence)]),
        kv_head_(kv_head),
        m_(memory) {}

  void run() {
    load_queries();
    for (int64_t key = sequence_.first_key; key < sequence_.kv_len; ++key) {
      if (!anyone_sees(key)) continue;
      load_key(key);
      for (int32_t i = 0; i < tile_.queries; ++i) {
        if (!is_visible(layer_, sequence_, tile_.first_query + i, key)) continue;
        for (int32_t g = 0; g < layer_.group(); ++g) add_key(i, g, key);
      }
    }
    store_results();
  }

 private:
  int32_t q_head(int32_t g) const { return kv_head_ * layer_.group() + g; }
  int64_t token(int32_t i) const { return int64_t{sequence_.first_token} + tile_.first_query + i; }
  size_t row(int32_t i, int32_t g) const { return static_cast<size_t>(i * layer_.group() + g); }
  double* q_row(int32_t i, int32_t g) {
    return m_.q.data() + row(i, g) * static_cast<size_t>(layer_.c.head_dim_qk);
  }
  double* acc_row(int32_t i, int32_t g) {
    return m_.acc.data() + row(i, g) * static_cast<size_t>(layer_.c.head_dim_v);
  }

  void load_queries() {
    for (int32_t i = 0; i < tile_.queries; ++i) {
      for (int32_t g = 0; g < layer_.group(); ++g) {
        const attnrt_tensor& q = call_.args.q;
        const uint8_t* from = tensor_row(q, token(i), q_head(g));
        const double scale = plugin::scale_of(call_.args.q_scale, q_head(g));
        for (int32_t d = 0; d < layer_.c.head_dim_qk; ++d) {
          q_row(i, g)[d] = read_element(q.dtype, from, d) * scale;
        }
        std::fill_n(acc_row(i, g), layer_.c.head_dim_v, 0.0);
        m_.soft[row(i, g)] = {-kInfinity, 0.0};
        // A sink is a score without a value; one of -inf weighs nothing beside any key.
        if (layer_.has(ATTNRT_FEATURE_SINKS)) {
          m_.soft[row(i, g)] = {call_.args.sinks[q_head(g)], 1.0};
        }
      }
    }
  }

  bool anyone_sees(int64_t key) const {
    for (int32_t i = 0; i < tile_.queries; ++i) {
      if (is_visible(layer_, sequence_, tile_.first_query + i, key)) return true;
    }
    return false;
  }

  void load_key(int64_t key) {
    const int32_t block_size = layer_.c.block_size;
    const int64_t first_block = sequence_.first_key / block_size;
    const int32_t block = sequence_.blocks[static_cast<size_t>(key / block_size - first_block)];
    const RowAt at{block, static_cast<int32_t>(key % block_size), kv_head_};
    call_.k.read(at, m_.k.data());
    const double k_scale = plugin::scale_of(call_.args.cache.k_scale, kv_head_);
    for (double& x : m_.k) x *= k_scale;
    if (call_.v == nullptr) {
      std::copy_n(m_.k.begin(), m_.v.size(), m_.v.begin());
      return;
    }
    call_.v->read(at, m_.v.data());
    const double v_scale = plugin::scale_of(call_.args.cache.v_scale, kv_head_);
    for (double& x : m_.v) x *= v_scale;
  }

  double score(int32_t i, int32_t g, int64_t key) {
    const double* q = q_row(i, g);
    double dot = 0.0;
    for (size_t d = 0; d < m_.k.size(); ++d) dot += q[d] * m_.k[d];
    double s = layer_.softmax_scale * dot;
    if (layer_.has(ATTNRT_FEATURE_SOFTCAP)) {
      const double cap = layer_.c.softcap;
      s = cap * std::tanh(s / cap);
    }
    if (layer_.has(ATTNRT_FEATURE_ALIBI)) {
      const int64_t position = int64_t{sequence_.kv_len} - sequence_.q_len + tile_.first_query + i;
      s += double{call_.args.alibi_slopes[q_head(g)]} * static_cast<double>(key - position);
    }
    return s;
  }

  void add_key(int32_t i, int32_t g, int64_t key) {
    const double s = score(i, g, key);
    if (s == -kInfinity) return;  // weight 0
    Softmax& soft = m_.soft[row(i, g)];
    double* acc = acc_row(i, g);
    if (s > soft.largest) {
      const double shrink = std::exp(soft.largest - s);
      soft.sum *= shrink;
      for (size_t d = 0; d < m_.v.size(); ++d) acc[d] *= shrink;
      soft.largest = s;
    }
    const double weight = std::exp(s - soft.largest);
    soft.sum += weight;
    for (size_t d = 0; d < m_.v.size(); ++d) acc[d] += weight * m_.v[d];
  }

  void store_results() {
    for (int32_t i = 0; i < tile_.queries; ++i) {
      for (int32_t g = 0; g < layer_.group(); ++g) store_result(i, g);
    }
  }

  void store_result(int32_t i, int32_t g) {
    const attnrt_attend_args& a = call_.args;
    const Softmax& soft = m_.soft[row(i, g)];
    const double* acc = acc_row(i, g);
    const bool nothing = soft.sum == 0.0;
    uint8_t* out = tensor_row(a.out, token(i), q_head(g));
    const double scale = plugin::scale_of(a.out_scale, q_head(g));
    for (int32_t d = 0; d < layer_.c.head_dim_v; ++d) {
      write_element(a.out.dtype, out, d, nothing ? 0.0 : acc[d] / soft.sum / scale);
    }
    if (a.lse.data == nullptr) return;
    const double lse = nothing ? -kInfinity : soft.largest + std::log(soft.sum);
    write_element(a.lse.dtype, tensor_row(a.lse, token(i), q_head(g)), 0, lse);
  }

  const Call& call_;
  const Layer& layer_;
  const Tile& tile_;
  const Sequence& sequence_;
  int32_t kv_head_;
  Memory& m_;
};

class AttendOp : public plugin::Op {
 public:
  AttendOp(const plugin::Host& host, const Layer& layer)
      : host_(host),
        layer_(layer),
        memory_(static_cast<size_t>(worker_count(host)), make_memory(layer)) {}

  std::unique_ptr<plugin::Schedule> schedule(const attnrt_batch& batch, const attnrt_workspace&,
                                             void*) override {
    return std::make_unique<BatchSchedule>(batch, layer_);
  }

  void attend(plugin::Schedule& given, const attnrt_attend_args& a) override {
    const auto& schedule = static_cast<const BatchSchedule&>(given);
    check(schedule, a);
    const attnrt_layer_class& c = layer_.c;
    if (schedule.tiles().empty()) return;
    const CacheRows k(*layer_.format, a.cache.k, c.head_dim_qk, false);
    const CacheRows v(*layer_.format, layer_.latent() ? a.cache.k : a.cache.v,
                      layer_.latent() ? c.head_dim_qk : c.head_dim_v, true);
    const Call call{layer_, schedule, a, k, layer_.latent() ? nullptr : &v};

    const auto workers = static_cast<int32_t>(memory_.size());
    const auto items = static_cast<int64_t>(schedule.tiles().size()) * c.kv_heads;
    for_each_item(host_, workers, items, [&](int32_t worker, int64_t i) {
      const Tile& tile = schedule.tiles()[static_cast<size_t>(i / c.kv_heads)];
      TileWork(call, tile, static_cast<int32_t>(i % c.kv_heads),
               memory_[static_cast<size_t>(worker)])
          .run();
    });
  }

 private:
  void check(const BatchSchedule& schedule, const attnrt_attend_args& a) const {
    using plugin::require;
    const attnrt_layer_class& c = layer_.c;
    const int32_t tokens = schedule.tokens();
    plugin::check_tensor(a.q, "q", c.q_dtype, tokens, c.q_heads, c.head_dim_qk);
    plugin::check_tensor(a.out, "out", c.out_dtype, tokens, c.q_heads, c.head_dim_v);
    if (a.lse.data != nullptr) check_lse(a.lse, "lse", tokens, c.q_heads);
    plugin::check_scale(a.q_scale, "q_scale", c.q_heads);
    plugin::check_scale(a.out_scale, "out_scale", c.q_heads);
    require(!layer_.has(ATTNRT_FEATURE_SINKS) || a.sinks != nullptr, "sinks is null");
    require(!layer_.has(ATTNRT_FEATURE_ALIBI) || a.alibi_slopes != nullptr, "alibi_slopes is null");
    check_view(a.cache, layer_);
    for (const Sequence& s : schedule.sequences()) {
      for (const int32_t block : s.blocks) {
        require(block >= 0 && block < a.cache.blocks, "a block table names block ", block,
                ", the cache has ", a.cache.blocks);
      }
    }
  }

  plugin::Host host_;
  Layer layer_;
  std::vector<Memory> memory_;  // by worker
};

}  // namespace

std::unique_ptr<plugin::Op> make_attend(const plugin::Host& host, const Layer& layer) {
  return std::make_unique<AttendOp>(host, layer);
}

}  // namespace attnrt::reference
