#include "layer.hpp"

#include <algorithm>
#include <attnrt/plugin/checks.hpp>

#include "support.hpp"

namespace attnrt::flashinfer {
namespace {

using plugin::require_listed;

void check_listed(const KernelSupport& kernel, const attnrt_layer_class& c) {
  require_listed((kernel.ops >> c.op & 1U) != 0, "op", c.op);
  require_listed(c.q_dtype == kernel.q_dtype, "q_dtype", plugin::dtype_name(c.q_dtype));
  require_listed(c.out_dtype == kernel.q_dtype, "out_dtype", plugin::dtype_name(c.out_dtype));
  require_listed(c.head_dim_qk == c.head_dim_v &&
                     std::count(kHeadDims.begin(), kHeadDims.end(), c.head_dim_qk) != 0,
                 "head_dim", "[", c.head_dim_qk, ", ", c.head_dim_v, "]");
  plugin::check_features(c.features, kFeatures);
  require_listed(c.cache_kind == ATTNRT_CACHE_SEPARATE, "cache_kind", c.cache_kind);
  require_listed(c.block_size >= 1 && c.block_size <= kMaxBlock, "block_size", c.block_size);
}

}  // namespace

Layer make_layer(std::string_view kernel_name, const attnrt_layer_class& c) {
  const KernelSupport& kernel = plugin::kernel_named(kKernels, kernel_name);
  check_listed(kernel, c);
  plugin::check_parameters(c);
  plugin::mask_of(c.features);
  Layer layer{};
  layer.kernel = {kernel.half, plugin::format_named(kernel.formats, c.cache_format).stored,
                  c.head_dim_qk};
  layer.q_dtype = c.q_dtype;
  layer.decode = c.op == ATTNRT_OP_DECODE;
  layer.graph = (c.features & ATTNRT_FEATURE_GRAPH) != 0;
  layer.kv_heads = c.kv_heads;
  layer.group = plugin::group_of(c, kMaxGroup);
  layer.block_size = c.block_size;
  layer.window = c.window;
  layer.softmax_scale = plugin::softmax_scale_of(c);
  layer.softcap = c.softcap;
  return layer;
}

}  // namespace attnrt::flashinfer
