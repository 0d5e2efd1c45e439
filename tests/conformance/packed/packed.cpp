// A plugin whose manifest lists packed rows alone, at multiples of 16 bytes; and which, with the
// option `unchecked`, does not look at what it is given: then the suite must say so.
#include <attnrt/plugin.hpp>
#include <attnrt/plugin/checks.hpp>
#include <cmath>
#include <limits>
#include <memory>
#include <string_view>

namespace {

using namespace attnrt::plugin;

constexpr int64_t kAlignment = 16;

struct Batch final : Schedule {
  explicit Batch(const attnrt_batch& b) : batch(b) {}
  attnrt_batch batch;
};

float* row_of(const attnrt_cache_side& side, int64_t block, int64_t token, int64_t head) {
  return reinterpret_cast<float*>(cache_row(side, block, token, head));
}

class Packed final : public Op {
 public:
  Packed(const attnrt_layer_class& layer, std::string_view unchecked)
      : l_(layer), scale_(softmax_scale_of(layer)), unchecked_(unchecked) {}

  std::unique_ptr<Schedule> schedule(const attnrt_batch& batch, const attnrt_workspace&,
                                     void*) override {
    return std::make_unique<Batch>(batch);
  }

  void append(const attnrt_append_args& a) override {
    const Rows<float> k(a.k, "k", ATTNRT_DTYPE_F32, a.tokens, l_.kv_heads, l_.head_dim_qk);
    const Rows<float> v(a.v, "v", ATTNRT_DTYPE_F32, a.tokens, l_.kv_heads, l_.head_dim_v);
    check(a.k, "k");
    check(a.v, "v");
    check(a.cache);
    for (int64_t t = 0; t < a.tokens; ++t) {
      const int64_t slot = a.slot_mapping.host[t];
      if (slot < 0) continue;
      const int64_t block = slot / l_.block_size;
      for (int64_t h = 0; h < l_.kv_heads; ++h) {
        std::copy_n(k(t, h), l_.head_dim_qk, row_of(a.cache.k, block, slot % l_.block_size, h));
        std::copy_n(v(t, h), l_.head_dim_v, row_of(a.cache.v, block, slot % l_.block_size, h));
      }
    }
  }

  void attend(Schedule& schedule, const attnrt_attend_args& a) override {
    const attnrt_batch& b = static_cast<Batch&>(schedule).batch;
    const Rows<float> q(a.q, "q", ATTNRT_DTYPE_F32, b.tokens, l_.q_heads, l_.head_dim_qk);
    const Rows<float> out(a.out, "out", ATTNRT_DTYPE_F32, b.tokens, l_.q_heads, l_.head_dim_v);
    check(a.q, "q");
    check(a.out, "out");
    check(a.cache);
    for (int64_t s = 0; s < b.sequences; ++s) {
      const int64_t first = b.q_start.host[s], end = b.q_start.host[s + 1];
      const int32_t* blocks = b.block_table.host + s * b.block_table_stride;
      for (int64_t t = first; t < end; ++t) {
        const int64_t visible = b.kv_len.host[s] - (end - 1 - t);
        for (int64_t h = 0; h < l_.q_heads; ++h) {
          attend_row(a.cache, blocks, visible, h * l_.kv_heads / l_.q_heads, q(t, h), out(t, h));
        }
      }
    }
  }

 private:
  bool checks(std::string_view what) const { return unchecked_ != what; }
  void check(const attnrt_tensor& t, const char* name) const {
    if (checks("tensors")) check_packed(t, name);
    if (checks("alignment")) check_aligned(t, name, kAlignment);
  }
  void check(const attnrt_cache_view& view) const {
    check(view.k, "cache.k", l_.head_dim_qk, view.blocks);
    check(view.v, "cache.v", l_.head_dim_v, view.blocks);
  }
  void check(const attnrt_cache_side& side, const char* name, int64_t dim, int64_t blocks) const {
    if (checks("alignment")) check_aligned(side, name, kAlignment);
    if (!checks("pages")) return;
    const int64_t row = dim * 4;
    const bool nhd = l_.layout == ATTNRT_LAYOUT_NHD;
    const int64_t token = nhd ? row * l_.kv_heads : row;
    const int64_t head = nhd ? row : row * l_.block_size;
    const bool packed =
        (l_.block_size == 1 || side.token_stride == token) &&
        (l_.kv_heads == 1 || side.head_stride == head) &&
        (blocks < 2 || side.block_stride % (row * l_.kv_heads * l_.block_size) == 0);
    if (!packed) fail(ATTNRT_UNSUPPORTED, name, " is not packed");
  }

  // One query against its keys in f64, taken twice: for the largest score, then for the sums.
  void attend_row(const attnrt_cache_view& c, const int32_t* blocks, int64_t visible, int64_t head,
                  const float* q, float* out) const {
    const auto key = [&](const attnrt_cache_side& side, int64_t j) {
      return row_of(side, blocks[j / l_.block_size], j % l_.block_size, head);
    };
    const auto score = [&](int64_t j) {
      const float* k = key(c.k, j);
      double sum = 0;
      for (int i = 0; i < l_.head_dim_qk; ++i) sum += double(q[i]) * k[i];
      return sum * scale_;
    };
    double largest = -std::numeric_limits<double>::infinity();
    for (int64_t j = 0; j < visible; ++j) {
      const double s = score(j);
      if (!(s <= largest)) largest = s;  // NaN stays
    }
    double total = 0;
    double sums[128] = {};
    for (int64_t j = 0; j < visible; ++j) {
      const double s = score(j);
      if (std::isinf(s) && s < 0) continue;  // weight 0
      const double weight = std::exp(s - largest);
      total += weight;
      const float* v = key(c.v, j);
      for (int i = 0; i < l_.head_dim_v; ++i) sums[i] += weight * v[i];
    }
    for (int i = 0; i < l_.head_dim_v; ++i) {
      out[i] = total == 0 ? 0.0F : static_cast<float>(sums[i] / total);
    }
  }

  attnrt_layer_class l_;
  float scale_;
  std::string_view unchecked_;
};

struct Plugin final : Instance {
  explicit Plugin(std::string u) : unchecked(std::move(u)) {}
  std::unique_ptr<Op> prepare(std::string_view, const attnrt_layer_class& layer) override {
    return std::make_unique<Packed>(layer, unchecked);
  }
  static std::unique_ptr<Instance> open(const Host&, const attnrt_device& device) {
    std::string unchecked;
    for (uint64_t i = 0; i < device.option_count; ++i) {
      require(device.options[i].key == std::string_view("unchecked"), "an unknown option");
      unchecked = device.options[i].value;
    }
    return std::make_unique<Plugin>(std::move(unchecked));
  }
  std::string unchecked;
};

}  // namespace

ATTNRT_PLUGIN(Plugin);
