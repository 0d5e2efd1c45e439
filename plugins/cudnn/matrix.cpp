#include "matrix.hpp"

#include <algorithm>

namespace attnrt::cudnn {
namespace {

// What else a layer and a batch may be, each value of an axis with several of the others.
struct Variant {
  bool hnd, causal, lse;
  int32_t window, q_heads, kv_heads, sequences, q_len, width;
};
constexpr std::array kVariants = {
    Variant{false, true, false, 0, 32, 8, 8, 512, 256},
    Variant{true, true, true, 0, 32, 32, 1, 2, 1},
    Variant{false, true, true, 1024, 128, 1, 256, 16, 1024},
    Variant{true, true, false, 1, 16, 2, 2, 8192, 512},
    Variant{false, false, true, 0, 8, 8, 64, 64, 16},
    Variant{true, false, false, 0, 15, 5, 512, 1, 2048},
    Variant{true, false, true, 128, 64, 8, 4, 1024, 64},
    Variant{false, false, false, 4096, 4, 1, 1, 4096, 4096},
};
constexpr size_t kByTurns = 2;  // of them for a cell

bool has(const KernelSupport& kernel, const Variant& v, int32_t dim, int32_t block, int32_t sm,
         const Ask& ask) {
  const bool decode = kernel.op == ATTNRT_OP_DECODE;
  const LayerShape layer{kernel.dtype == ATTNRT_DTYPE_F16,
                         v.hnd,
                         v.causal,
                         v.lse,
                         v.window,
                         v.q_heads,
                         v.kv_heads,
                         dim,
                         dim,
                         block,
                         0.125F};
  return ask(layer, {v.sequences, decode ? 1 : v.q_len, v.width}, sm).empty();
}

}  // namespace

Box find_box(const KernelSupport& kernel, int32_t sm, const Ask& ask) {
  Box box{{kHeadDims.begin(), kHeadDims.end()}, {kBlockSizes.begin(), kBlockSizes.end()}};
  size_t turn = 0;
  // Whether a cell has all that it is tried with.
  const auto cell = [&](int32_t dim, int32_t block) {
    const size_t tries = dim == 128 || block == 16 ? kVariants.size() : kByTurns;
    for (size_t i = 0; i < tries; ++i) {
      if (!has(kernel, kVariants[turn++ % kVariants.size()], dim, block, sm, ask)) return false;
    }
    return true;
  };
  std::erase_if(box.block_sizes, [&](int32_t block) { return !cell(128, block); });
  std::erase_if(box.head_dims, [&](int32_t dim) {
    return !std::all_of(box.block_sizes.begin(), box.block_sizes.end(),
                        [&](int32_t block) { return dim == 128 || cell(dim, block); });
  });
  return box;
}

}  // namespace attnrt::cudnn
