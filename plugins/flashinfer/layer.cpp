#include "layer.hpp"

#include <attnrt/plugin/checks.hpp>

#include "support.hpp"

namespace attnrt::flashinfer {
namespace {

using plugin::require_listed;

void check_listed(const KernelSupport& kernel, const attnrt_layer_class& c) {
  require_listed((kernel.ops >> c.op & 1U) != 0, "op", c.op);
  require_listed(c.q_dtype == kernel.q_dtype, "q_dtype", plugin::dtype_name(c.q_dtype));
  require_listed(c.out_dtype == kernel.q_dtype, "out_dtype", plugin::dtype_name(c.out_dtype));
  require_listed(c.head_dim_qk == c.head_dim_v && kernel.head_dims.contains(c.head_dim_qk),
                 "head_dim", "[", c.head_dim_qk, ", ", c.head_dim_v, "]");
  plugin::check_features(c.features, kernel.features);
  require_listed(c.cache_kind == ATTNRT_CACHE_SEPARATE, "cache_kind", c.cache_kind);
  require_listed(kernel.block_sizes.contains(c.block_size), "block_size", c.block_size);
}

void check_scale(const Layer& layer) {
  if (layer.path != Path::kHopper || layer.softmax_scale > 0.0F) return;
  plugin::fail(ATTNRT_UNSUPPORTED, "softmax_scale is ", layer.softmax_scale,
               ", FlashInfer's Hopper kernel takes maxima of scores before it scales them and "
               "needs one above 0: plan the layer for the kernel prefill");
}

}  // namespace

Layer make_layer(std::string_view kernel_name, const attnrt_layer_class& c) {
  const KernelSupport& kernel = plugin::kernel_named(kKernels, kernel_name);
  check_listed(kernel, c);
  plugin::check_parameters(c);
  plugin::mask_of(c.features);
  Layer layer{};
  layer.path = kernel.path;
  layer.kernel = {kernel.half, plugin::format_named(kernel.formats, c.cache_format).stored,
                  c.head_dim_qk};
  layer.q_dtype = c.q_dtype;
  layer.decode = c.op == ATTNRT_OP_DECODE;
  layer.graph = (c.features & ATTNRT_FEATURE_GRAPH) != 0;
  layer.sinks = (c.features & ATTNRT_FEATURE_SINKS) != 0;
  layer.hnd = c.layout == ATTNRT_LAYOUT_HND;
  layer.kv_heads = c.kv_heads;
  layer.group = plugin::group_of(c, kAnyGroup.most);
  require_listed(kernel.groups.contains(layer.group), "the group of q_heads / kv_heads",
                 layer.group);
  layer.block_size = c.block_size;
  layer.window = c.window;
  layer.softmax_scale = plugin::softmax_scale_of(c);
  layer.softcap = c.softcap;
  check_scale(layer);
  return layer;
}

}  // namespace attnrt::flashinfer
