// merge: partial results of the same queries into one, divided among threads by tokens.
#include <algorithm>
#include <vector>

#include "ops.hpp"
#include "views.hpp"

namespace attnrt::cpu {
namespace {

constexpr int64_t kValuesPerWorker = 64 * 1024;
constexpr int32_t kMostParts = 64;  // of one call of the kernel; more are refused

class MergeOp : public plugin::Op {
 public:
  MergeOp(Context& context, const Layer& layer) : context_(context), layer_(layer) {}

  void merge(const attnrt_merge_args& a) override {
    const int64_t tokens = check(a);
    const int32_t heads = layer_.params.q_heads;
    const int32_t dim = layer_.params.dim_v;
    DenseView outs[kMostParts];
    DenseView lses[kMostParts];
    for (int32_t i = 0; i < a.parts; ++i) {
      outs[i] = to_view(a.part_out[i]);
      lses[i] = to_view(a.part_lse[i]);
    }
    const MergeParams params{a.parts,
                             heads,
                             dim,
                             outs,
                             lses,
                             to_view(a.out),
                             bytes_of(a.lse.data),
                             a.lse.stride[0] * 4,
                             a.lse.stride[1] * 4};
    const int64_t values = tokens * heads * dim * a.parts;
    const int64_t workers =
        std::min<int64_t>({values / kValuesPerWorker + 1, context_.team.threads(), tokens});
    auto body = [&](int64_t i) noexcept {
      context_.kernels->merge(params, tokens * i / workers, tokens * (i + 1) / workers);
    };
    context_.team.run(workers, body);
  }

 private:
  int64_t check(const attnrt_merge_args& a) const {
    using plugin::require;
    const int32_t heads = layer_.params.q_heads;
    const int32_t dim = layer_.params.dim_v;
    const int64_t tokens = a.out.shape[0];
    require(a.parts >= 1 && a.parts <= kMostParts, "parts is ", a.parts, ", expected 1 to ",
            kMostParts, ": merge in steps");
    require(a.part_out != nullptr && a.part_lse != nullptr, "part_out or part_lse is null");
    plugin::check_tensor(a.out, "out", layer_.out_dtype, tokens, heads, dim);
    check_lse(a.lse, tokens, heads);
    check_no_scale(a.out_scale, "out_scale");
    for (int32_t i = 0; i < a.parts; ++i) {
      plugin::check_tensor(a.part_out[i], "part_out", ATTNRT_DTYPE_F32, tokens, heads, dim);
      plugin::check_tensor(a.part_lse[i], "part_lse", ATTNRT_DTYPE_F32, tokens, heads, 0);
    }
    return tokens;
  }

  Context& context_;
  Layer layer_;
};

}  // namespace

std::unique_ptr<plugin::Op> make_merge(Context& context, const Layer& layer) {
  return std::make_unique<MergeOp>(context, layer);
}

}  // namespace attnrt::cpu
