#include "layer.hpp"

#include <algorithm>
#include <attnrt/plugin/checks.hpp>

#include "support.hpp"

namespace attnrt::cuda {
namespace {

using plugin::require_listed;

MaskKind mask_of(uint64_t features) {
  switch (plugin::mask_of(features)) {
    case ATTNRT_FEATURE_NON_CAUSAL:
    case ATTNRT_FEATURE_CROSS:
      return MaskKind::kFull;
    case ATTNRT_FEATURE_TREE_MASK:
      return MaskKind::kTree;
    case ATTNRT_FEATURE_PREFIX_LM:
      return MaskKind::kPrefixLm;
    default:
      return MaskKind::kCausal;
  }
}

void check_listed(const KernelSupport& kernel, const attnrt_layer_class& c) {
  const bool append = c.op == ATTNRT_OP_APPEND;
  require_listed((kOps >> c.op & 1U) != 0, "op", c.op);
  require_listed(c.q_dtype == kernel.q_dtype, "q_dtype", plugin::dtype_name(c.q_dtype));
  require_listed(append || c.out_dtype == kernel.q_dtype || c.out_dtype == ATTNRT_DTYPE_F32,
                 "out_dtype", plugin::dtype_name(c.out_dtype));
  const HeadDims dims{c.head_dim_qk, c.head_dim_v};
  require_listed(std::count(kernel.head_dims.begin(), kernel.head_dims.end(), dims) != 0,
                 "head_dim", "[", dims.qk, ", ", dims.v, "]");
  plugin::check_features(c.features, kFeatures);
  require_listed(c.cache_kind == kernel.cache_kind, "cache_kind", c.cache_kind);
  require_listed(
      c.block_size >= 1 && c.block_size <= kMaxBlock && c.block_size % kernel.block_step == 0,
      "block_size", c.block_size);
}

}  // namespace

Layer make_layer(std::string_view kernel_name, const attnrt_layer_class& c) {
  const KernelSupport& kernel = plugin::kernel_named(kKernels, kernel_name);
  check_listed(kernel, c);
  plugin::check_parameters(c);
  const NamedFormat& format = plugin::format_named(kernel.formats, c.cache_format);
  Layer layer{};
  layer.op = c.op;
  layer.q_dtype = c.q_dtype;
  layer.out_dtype = c.out_dtype;
  layer.features = c.features;
  layer.format = format.format;
  layer.scaled = format.scaled;
  layer.swizzled = format.swizzled;
  layer.latent = c.cache_kind == ATTNRT_CACHE_LATENT;
  layer.kv_heads = c.kv_heads;
  layer.group = plugin::group_of(c, kMaxGroup);
  layer.dim_qk = c.head_dim_qk;
  layer.dim_v = c.head_dim_v;
  layer.block_size = c.block_size;
  layer.mask = mask_of(c.features);
  layer.window = c.window;
  layer.softmax_scale = plugin::softmax_scale_of(c);
  layer.softcap = c.softcap;
  return layer;
}

}  // namespace attnrt::cuda
