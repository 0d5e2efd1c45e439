#include "layer.hpp"

#include <algorithm>

namespace attnrt::cudnn {
namespace {

using plugin::require_listed;

void check_listed(const KernelSupport& kernel, const attnrt_layer_class& c) {
  require_listed(c.op == kernel.op, "op", c.op);
  require_listed(c.q_dtype == kernel.dtype, "q_dtype", plugin::dtype_name(c.q_dtype));
  require_listed(c.out_dtype == kernel.dtype, "out_dtype", plugin::dtype_name(c.out_dtype));
  require_listed(c.cache_format == format_name(kernel.dtype), "cache_format", c.cache_format);
  require_listed(c.head_dim_qk == c.head_dim_v &&
                     std::count(kHeadDims.begin(), kHeadDims.end(), c.head_dim_qk) != 0,
                 "head_dim", "[", c.head_dim_qk, ", ", c.head_dim_v, "]");
  require_listed(c.cache_kind == ATTNRT_CACHE_SEPARATE, "cache_kind", c.cache_kind);
  require_listed(std::count(kBlockSizes.begin(), kBlockSizes.end(), c.block_size) != 0,
                 "block_size", c.block_size);
  plugin::check_features(c.features, kFeatures);
  plugin::group_of(c, kMaxGroup);
}

}  // namespace

Layer make_layer(std::string_view kernel_name, const attnrt_layer_class& c) {
  const KernelSupport& kernel = plugin::kernel_named(kKernels, kernel_name);
  check_listed(kernel, c);
  plugin::check_parameters(c);
  Layer layer{};
  layer.op = c.op;
  layer.dtype = c.q_dtype;
  layer.features = c.features;
  LayerShape& s = layer.shape;
  s.f16 = c.q_dtype == ATTNRT_DTYPE_F16;
  s.hnd = c.layout == ATTNRT_LAYOUT_HND;
  s.causal = plugin::mask_of(c.features) == ATTNRT_FEATURE_CAUSAL;
  s.lse = layer.has(ATTNRT_FEATURE_LSE);
  s.window = c.window;
  s.q_heads = c.q_heads;
  s.kv_heads = c.kv_heads;
  s.dim_qk = c.head_dim_qk;
  s.dim_v = c.head_dim_v;
  s.block_size = c.block_size;
  s.softmax_scale = plugin::softmax_scale_of(c);
  return layer;
}

}  // namespace attnrt::cudnn
