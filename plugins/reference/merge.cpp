// merge: partial results of the same queries over disjoint keys into one.
#include <cmath>
#include <limits>

#include "elements.hpp"
#include "ops.hpp"

namespace attnrt::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class MergeOp : public plugin::Op {
 public:
  explicit MergeOp(const Layer& layer) : layer_(layer) {}

  void merge(const attnrt_merge_args& a) override {
    check(a);
    for (int64_t token = 0; token < a.out.shape[0]; ++token) {
      for (int32_t head = 0; head < layer_.c.q_heads; ++head) merge_row(a, token, head);
    }
  }

 private:
  void check(const attnrt_merge_args& a) const {
    const int32_t heads = layer_.c.q_heads;
    const int64_t tokens = a.out.shape[0];
    plugin::require(a.parts >= 1, "parts is ", a.parts, ", expected at least 1");
    plugin::require(a.part_out != nullptr && a.part_lse != nullptr, "part_out or part_lse is null");
    plugin::check_tensor(a.out, "out", layer_.c.out_dtype, tokens, heads, layer_.c.head_dim_v);
    if (a.lse.data != nullptr) check_lse(a.lse, "lse", tokens, heads);
    plugin::check_scale(a.out_scale, "out_scale", heads);
    for (int32_t p = 0; p < a.parts; ++p) {
      plugin::check_tensor(a.part_out[p], "part_out", ATTNRT_DTYPE_F32, tokens, heads,
                           layer_.c.head_dim_v);
      plugin::check_tensor(a.part_lse[p], "part_lse", ATTNRT_DTYPE_F32, tokens, heads, 0);
    }
  }

  static double part_lse(const attnrt_merge_args& a, int32_t p, int64_t token, int32_t head) {
    return read_element(ATTNRT_DTYPE_F32, tensor_row(a.part_lse[p], token, head), 0);
  }

  // The logarithm of the sum of exp(lse) of all parts.
  static double total_lse(const attnrt_merge_args& a, int64_t token, int32_t head) {
    double largest = -kInfinity;
    for (int32_t p = 0; p < a.parts; ++p) {
      const double lse = part_lse(a, p, token, head);
      if (std::isnan(lse)) return lse;
      largest = std::max(largest, lse);
    }
    if (largest == -kInfinity) return largest;
    double sum = 0.0;
    for (int32_t p = 0; p < a.parts; ++p) sum += std::exp(part_lse(a, p, token, head) - largest);
    return largest + std::log(sum);
  }

  void merge_row(const attnrt_merge_args& a, int64_t token, int32_t head) const {
    const double lse = total_lse(a, token, head);
    const double scale = plugin::scale_of(a.out_scale, head);
    uint8_t* out = tensor_row(a.out, token, head);
    for (int32_t d = 0; d < layer_.c.head_dim_v; ++d) {
      double value = 0.0;
      for (int32_t p = 0; lse != -kInfinity && p < a.parts; ++p) {
        const double weight = std::exp(part_lse(a, p, token, head) - lse);
        if (weight == 0.0) continue;  // what such a part holds may be NaN
        value += weight * read_element(ATTNRT_DTYPE_F32, tensor_row(a.part_out[p], token, head), d);
      }
      write_element(a.out.dtype, out, d, value / scale);
    }
    if (a.lse.data != nullptr) {
      write_element(a.lse.dtype, tensor_row(a.lse, token, head), 0, lse);
    }
  }

  Layer layer_;
};

}  // namespace

std::unique_ptr<plugin::Op> make_merge(const Layer& layer) {
  return std::make_unique<MergeOp>(layer);
}

}  // namespace attnrt::reference
