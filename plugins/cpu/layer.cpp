#include "layer.hpp"

#include <algorithm>
#include <attnrt/plugin.hpp>

#include "support.hpp"

namespace attnrt::cpu {
namespace {

using plugin::require_listed;

template <class List, class Value>
bool contains(const List& list, const Value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

MaskKind mask_of(uint64_t features) {
  switch (plugin::mask_of(features)) {
    case ATTNRT_FEATURE_NON_CAUSAL:
      return MaskKind::kNonCausal;
    case ATTNRT_FEATURE_CROSS:
      return MaskKind::kCross;
    case ATTNRT_FEATURE_TREE_MASK:
      return MaskKind::kTree;
    case ATTNRT_FEATURE_PREFIX_LM:
      return MaskKind::kPrefixLm;
    default:
      return MaskKind::kCausal;
  }
}

void check_cache(const KernelSupport& kernel, const attnrt_layer_class& c) {
  require_listed(c.cache_kind == kernel.cache_kind, "cache_kind", std::to_string(c.cache_kind));
  const bool block = c.block_size >= 1 && c.block_size <= kernel.max_block &&
                     c.block_size % kernel.block_step == 0;
  require_listed(block, "block_size", std::to_string(c.block_size));
}

void check_listed(const KernelSupport& kernel, const attnrt_layer_class& c) {
  const bool append = c.op == ATTNRT_OP_APPEND;
  const bool merge = c.op == ATTNRT_OP_MERGE;
  require_listed((kernel.ops >> c.op & 1U) != 0, "op", std::to_string(c.op));
  require_listed(contains(kernel.q, c.q_dtype), "q_dtype", plugin::dtype_name(c.q_dtype));
  require_listed(append || contains(kernel.out, c.out_dtype), "out_dtype",
                 plugin::dtype_name(c.out_dtype));
  const int32_t qk = merge ? c.head_dim_v : c.head_dim_qk;
  const bool dims = std::any_of(kernel.head_dims.begin(), kernel.head_dims.end(),
                                [&](const HeadDims& d) { return d.has(qk, c.head_dim_v); });
  require_listed(dims, "head_dim", plugin::message("[", qk, ", ", c.head_dim_v, "]"));
  plugin::check_features(c.features, kernel.features);
  if (!merge) check_cache(kernel, c);
}

}  // namespace

Layer make_layer(std::string_view kernel_name, const attnrt_layer_class& c) {
  const KernelSupport& kernel = plugin::kernel_named(kKernels, kernel_name);
  check_listed(kernel, c);
  Layer layer{{}, c.op, c.q_dtype, c.out_dtype, c.features};
  LayerParams& p = layer.params;
  p.q_heads = c.q_heads;
  p.dim_qk = c.head_dim_qk;
  p.dim_v = c.head_dim_v;
  if (c.op == ATTNRT_OP_MERGE) return layer;

  plugin::check_parameters(c);
  p.format = plugin::format_named(kernel.formats, c.cache_format).format;
  p.mask = mask_of(c.features);
  p.kv_heads = c.kv_heads;
  p.group = plugin::group_of(c, kernel.max_group);
  p.block_size = c.block_size;
  p.window = c.window;
  p.latent = c.cache_kind == ATTNRT_CACHE_LATENT ? 1 : 0;
  p.heads_together = c.layout == ATTNRT_LAYOUT_NHD ? 1 : 0;
  p.softmax_scale = plugin::softmax_scale_of(c);
  p.softcap = c.softcap;
  return layer;
}

}  // namespace attnrt::cpu
